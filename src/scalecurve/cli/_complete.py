"""What the shell completes: runs and study files that are here, and the names of tasks, models, strategies, metrics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def runs(incomplete: str) -> list[str]:
    """Run directories: below ``runs``, here, and below what is typed so far."""
    found = [path.parent for pattern in ("runs/*", "*", f"{incomplete}*", f"{incomplete}*/*")
             for path in _glob(f"{pattern}/manifest.json")]  # fmt: skip
    return _starting(incomplete, map(str, found))


def studies(incomplete: str) -> list[str]:
    """TOML files: below ``studies``, here, and below what is typed so far."""
    patterns = ("studies/*.toml", "*.toml", f"{incomplete}*.toml", f"{incomplete}*/*.toml")
    return _starting(incomplete, (str(path) for pattern in patterns for path in _glob(pattern)))


def tasks(incomplete: str) -> list[str]:
    """Tasks by reference; those with many parts also by the whole."""
    from scalecurve.tasks import list_tasks

    refs = [listing.ref for listing in list_tasks()]
    return _starting(incomplete, (*refs, *(ref.rpartition(":")[0] for ref in refs if ref.count(":") > 1)))


def models(incomplete: str) -> list[str]:
    """Ladders, and their rungs as ``LADDER:RUNG``."""
    from scalecurve.models import list_ladders, load_ladder

    ladders = list_ladders()
    rungs = [f"{name}:{rung.name}" for name in ladders if incomplete.startswith(f"{name}:")
             for rung in load_ladder(name).rungs]  # fmt: skip
    return _starting(incomplete, (*ladders, *rungs))


def strategies(incomplete: str) -> list[str]:
    """Strategies by name."""
    from scalecurve.strategies.protocol import strategy_names

    return _starting(incomplete, strategy_names())


def metrics(incomplete: str) -> list[str]:
    """Metrics by name."""
    from scalecurve.metrics import METRICS

    return _starting(incomplete, METRICS)


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _glob(pattern: str) -> list[Path]:
    """Paths that match; none where what is typed is no pattern (``**a``)."""
    base, relative = (Path("/"), pattern.lstrip("/")) if pattern.startswith("/") else (Path(), pattern)
    try:
        return list(base.glob(relative))
    except ValueError:
        return []
