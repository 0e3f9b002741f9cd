"""The notebook magic: ``%load_ext scalecurve``, then ``%scalecurve --model lab-1m`` and ``%%scalecurve`` cells.

%scalecurve --model lab --attach r=reviews.csv --run runs/lab      settings for the cells that follow
%%scalecurve [--into NAME]                                         statements; the last one's rows are shown
"""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any, NoReturn

from scalecurve.errors import UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"%scalecurve: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="%scalecurve", add_help=False)
    parser.add_argument("--model", default=None)
    parser.add_argument("--attach", action="append", default=[])
    parser.add_argument("--run", action="append", default=[])
    parser.add_argument("--cache", default=None)
    parser.add_argument("--into", default=None)
    return parser


class Magic:
    """The connection that a notebook's cells share."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.connection: Any = None

    def __call__(self, line: str = "", cell: str | None = None) -> Any:
        """The rows of the last statement as a Polars frame; errors in one line."""
        try:
            return self._run(line, cell)
        except UserError as error:
            print(error, file=sys.stderr)
            return None

    def _run(self, line: str, cell: str | None) -> Any:
        from scalecurve.query.dbapi import connect
        from scalecurve.query.executor.attach import attachments
        from scalecurve.query.sql.parse import split

        try:
            given = _parser().parse_args(shlex.split(line))
        except ValueError as error:
            raise UserError(f"%scalecurve: {error}") from None
        if self.connection is None or given.model is not None or given.attach or given.run or given.cache:
            named = {name: self.shell.user_ns.get(name) for name in self.shell.user_ns}
            fresh = connect(
                given.model or "", attach=attachments(given.attach, named), runs=given.run, cache=given.cache
            )
            if self.connection is not None:
                fresh.session.knowledge.update(self.connection.session.knowledge)
                self.connection.close()
            self.connection = fresh
        frame = None
        for statement in split(cell or ""):
            result = self.connection.execute(statement).result
            if result.summary:
                print(result.summary, file=sys.stderr)
            frame = result.pl() if result.table is not None else None
        if given.into:
            if not given.into.isidentifier():
                raise UserError(f"%scalecurve: --into {given.into}: is no name for a variable")
            self.shell.user_ns[given.into] = frame
            return None
        return frame


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext scalecurve`` calls."""
    shell.register_magic_function(Magic(shell), "line_cell", "scalecurve")
