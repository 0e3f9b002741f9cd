"""Runs as other tools read them: one module a format."""
