"""Sentences for errors: one line of anything, and the names that are near to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def one_line(value: object, most: int = 200) -> str:
    """The text of ``value`` in one line of at most ``most`` characters."""
    return " ".join(str(value).split())[:most]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", n: int = 1) -> str:
    """ "did you mean …?" with at most ``n`` of ``known``, those nearest; ``otherwise`` where none is near."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=n, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else otherwise
