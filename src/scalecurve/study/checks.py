"""Checks of names that a study gives, each with an error that says where it stands and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from scalecurve.errors import UserError
from scalecurve.util.text import did_you_mean


@contextmanager
def at_field(where: str) -> Iterator[None]:
    """Errors from within say where in the study they come from."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def check_names(field: str, names: Iterable[str], known: Sequence[str]) -> None:
    """``UserError`` for the first of ``names`` that is none of ``known``, naming ``field`` and the nearest one."""
    for name in names:
        if name not in known:
            fix = did_you_mean(name, known, f"known: {', '.join(sorted(known))}")
            raise UserError(f"{field}: unknown {name!r}; {fix}")


def metric_names(asked: Iterable[str]) -> Sequence[str]:
    """The metrics that can be computed here; ``UserError`` for one of ``asked`` that lacks something to be computed."""
    from scalecurve.metrics import METRICS, refusal

    for name in asked:
        if refusal(name):
            raise UserError(f"metrics: {name} {refusal(name)}")
    return list(METRICS)


def repeated(names: Sequence[str]) -> str:
    """The first name that stands twice ("" for none)."""
    return next((name for i, name in enumerate(names) if name in names[:i]), "")
