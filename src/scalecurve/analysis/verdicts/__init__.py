"""The name of a curve's shape, how surely, and why."""
