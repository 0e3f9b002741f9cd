"""From a statement to its result."""
