"""Calling the command line in this process, as the installed script does."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from scalecurve.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Said]


def call_main(*arguments: object) -> int:
    """The exit code of ``scalecurve`` with ``arguments``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["scalecurve", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0
