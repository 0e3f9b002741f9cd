"""Errors, intervals and corrections."""
