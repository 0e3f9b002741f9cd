"""The command line. A command is one module of this package that decorates a function with ``@app.command()``.

Modules are imported to know their commands, so they import nothing heavy at their top: what a command needs is
imported in its function. Modules that begin with ``_`` hold what commands share.
"""

from __future__ import annotations

import os
import sys

BUG = """\
scalecurve: this is a fault of scalecurve, not of what you asked; please report it with the lines above and what
`scalecurve doctor` says"""


def main() -> None:
    """Entry point of ``scalecurve``.

    Ends with 0: done; 1: done, but something is missing or a check failed; 2: the user's error; 3: a fault of
    scalecurve; 130: stopped by Ctrl-C.
    """
    from scalecurve.cli._plain import PlainStream

    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = PlainStream(sys.stdout), PlainStream(sys.stderr, returns=True)
    try:
        code = _outcome()
    finally:
        sys.stdout, sys.stderr = before
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


def _outcome() -> int:
    """Run the command that the arguments name; its exit code."""
    try:
        from scalecurve.cli._app import app, load_commands

        load_commands()
        app(prog_name="scalecurve")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the last to hear of it: what a user can mend in one line, the rest as ours
        from scalecurve.errors import UserError

        if isinstance(error, UserError | OSError):
            from scalecurve.cli._plain import plain

            print(f"scalecurve: {plain(_in_words(error))}", file=sys.stderr)
            return 2
        import traceback

        traceback.print_exc()
        print(BUG, file=sys.stderr)
        return 3
    return 0


def _in_words(error: Exception) -> str:
    """One line. An OSError is about a file that the user named, a disk or a network; it rarely says more than why."""
    if isinstance(error, FileExistsError | NotADirectoryError) and error.filename:
        return f"{error.filename}: is or lies in a file, where a directory is needed; give another path"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).replace("\n", " ") or type(error).__name__
