"""What a run keeps: its finished parts, and the bytes of all results, by which two runs are compared."""

from __future__ import annotations

from pathlib import Path

from scalecurve.store import RunDirectory


def parts(out: Path) -> dict[str, int]:
    """The finished parts of the run in ``out``, and when each was written (nanoseconds)."""
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.glob("outputs/*/part-*.parquet")}


def results(out: Path) -> dict[str, bytes]:
    """The parts, scores, curves and verdicts of the run in ``out``, byte by byte."""
    run = RunDirectory(out)
    paths = [*(out / name for name in parts(out)), run.scores, run.curves, run.verdicts]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}
