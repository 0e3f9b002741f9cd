"""The report: one self-contained HTML file that shows what a run found, the figures for papers, and the live view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["write_report"]

EXAMPLE_BYTES = 2_700_000
"""Packed examples in one report; with charts and scripts it stays under 5 MB."""


def write_report(run_directories: Sequence[str | Path], out: str | Path, *, lang: str = "en") -> Path:
    """Write the report of one or more runs to ``out`` and return its path.

    It reads only the run directories' files and needs nothing from the network, then or when opened. ``lang`` is
    ``en`` or ``zh``. ``UserError`` for another language, and for a directory that holds no finished run.
    """
    from scalecurve.report.claims import told
    from scalecurve.report.data import gather
    from scalecurve.report.examples import examples_of, per_task
    from scalecurve.report.extras import add_extras
    from scalecurve.report.page import pack, render
    from scalecurve.report.paired import add_pairs
    from scalecurve.report.words import words
    from scalecurve.store.atomic import write_bytes

    said = words(lang)
    contents = add_pairs(add_extras(told(gather(run_directories), said, lang)))
    count, room = per_task(contents), EXAMPLE_BYTES
    packed: dict[int, str] = {}
    left, partial = [], []
    for index, ref in enumerate(contents.refs):
        book = examples_of(contents, ref, count) if room > 0 else {}
        chunk = pack(book) if book else ""
        if chunk and len(chunk) <= room:
            packed[index] = chunk
            room -= len(chunk)
            partial += [index] * (book["all"] > len(book["q"]))
        else:
            left.append(index)
            room = 0 if room < EXAMPLE_BYTES // 100 else room
    for index in partial:  # what room is left goes to the questions that changed
        if room < EXAMPLE_BYTES // 10:
            break
        chunk = pack(examples_of(contents, contents.refs[index], count, changed=True))
        if len(chunk) - len(packed[index]) <= room:
            room -= len(chunk) - len(packed[index])
            packed[index] = chunk
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, render(contents, packed, left, lang).encode("utf-8", "replace"))
    return out
