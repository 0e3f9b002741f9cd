"""The command line. A command is one module of this package that decorates a function with ``@app.command()``.

Modules are imported to know their commands, so they import nothing heavy at their top: what a command needs is
imported in its function. Modules that begin with ``_`` hold what commands share.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of ``scalecurve``: 0 done, 1 done with something missing, 2 the user's error, 130 stopped."""
    from scalecurve.cli._app import app, load_commands

    load_commands()
    try:
        app(prog_name="scalecurve")
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from scalecurve.nouns import UserError

        if not isinstance(error, UserError):
            raise
        print(f"scalecurve: {error}", file=sys.stderr)
        sys.exit(2)
