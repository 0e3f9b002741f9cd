"""Calls, their typed answers, and where they come from."""
