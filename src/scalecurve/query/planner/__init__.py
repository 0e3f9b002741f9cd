"""From a SELECT to what will be asked: passes from tree to tree, and the plans they make."""
