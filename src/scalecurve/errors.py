"""Errors that a user can mend."""


class UserError(Exception):
    """Something the user can mend. The message is one line that names the file, the field and the fix."""
