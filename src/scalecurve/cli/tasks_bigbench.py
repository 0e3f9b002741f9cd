"""``scalecurve tasks install|check``: BIG-bench on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._print import Json
from scalecurve.cli.tasks import tasks

if TYPE_CHECKING:
    from scalecurve.strategies.bigbench_check import Checked


@tasks.command()
def install(
    what: Annotated[str, typer.Argument(help="bigbench.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="The archive bigbench-1.0.0.tar.gz, or a checkout of BIG-bench.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only compare what is installed with its hashes.")] = False,
) -> None:
    """Install BIG-bench into the cache directory (SCALECURVE_BIGBENCH moves it). Run again, it continues."""
    from scalecurve.tasks import bigbench_install
    from scalecurve.tasks.bigbench import cache_dir

    _only_bigbench(what)
    with _shown() as progress:
        if verify:
            wrong = bigbench_install.verify(progress)
            if wrong:
                print(f"{len(wrong)} files differ, first {wrong[0]}; run: scalecurve tasks install bigbench")
                raise typer.Exit(1)
            print(f"every file in {cache_dir()} is as installed")
            return
        manifest = bigbench_install.install(source, progress=progress)
    print(f"BIG-bench: {manifest['leaves']:,} leaves in {len(manifest['files']):,} files, in {cache_dir()}")


@tasks.command()
def check(
    what: Annotated[str, typer.Argument(help="bigbench.")],
    mode: Annotated[str, typer.Option(help="faithful or corrected.")] = "faithful",
    sample: Annotated[int, typer.Option(min=1, help="Examples of each leaf to build requests for.")] = 5,
    as_json: Json = False,
) -> None:
    """Load every leaf of the installed BIG-bench and build its 0- and 3-shot requests for a sample."""
    from scalecurve.cli import _print
    from scalecurve.errors import UserError
    from scalecurve.strategies.bigbench_check import check_bigbench
    from scalecurve.tasks.reader import MODES

    _only_bigbench(what)
    if mode not in MODES:
        raise UserError(f"--mode {mode}: use {' or '.join(MODES)}")
    began = time.monotonic()
    with _shown() as progress:
        found = check_bigbench(mode=mode, sample=sample, progress=progress)
    if as_json:
        print(_print.as_json(found))
    else:
        _show(found, time.monotonic() - began)
    if found.failures:
        raise typer.Exit(1)


def _show(found: Checked, seconds: float) -> None:
    print(f"leaves    {found.leaves:>9,}")
    print(f"examples  {found.examples:>9,} ({found.distinct:,} distinct)")
    print(f"prompts   {found.prompts:>9,} (0 and 3 shots, {found.characters:,} characters)")
    print(f"failures  {len(found.failures):>9,}")
    for flag, count in sorted(found.flags.items()):
        print(f"  {flag}: {count} leaves")
    print(f"{seconds:.0f} s")
    for line in found.failures:
        print(line, file=sys.stderr)


def _only_bigbench(what: str) -> None:
    from scalecurve.errors import UserError

    if what != "bigbench":
        raise UserError(f"unknown source {what!r}; use bigbench")


@contextmanager
def _shown() -> Iterator[Callable[[str, int, int], None]]:
    """Progress on standard error: a bar in a terminal, a line a stage elsewhere."""
    from rich.progress import Progress

    from scalecurve.cli._plain import console

    terminal = console(sys.stderr)
    if not terminal.is_terminal:
        seen: set[str] = set()

        def say(what: str, done: int, total: int) -> None:
            if what not in seen:
                seen.add(what)
                terminal.print(f"{what} …", highlight=False)

        yield say
        return
    with Progress(console=terminal, transient=True) as bars:
        known = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total or None)
            bars.update(known[what], completed=done, total=total or None)

        yield move
