"""Files gone wrong in one place, for readers: each must be read or refused with one clear line."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from scalecurve.errors import UserError

ODD: tuple[Any, ...] = (
    None, True, -1, 1.5, float("nan"), float("inf"), 10**400, "", "x", "(", "²", [], [[]], [None], {}, {"x": 1},
)  # fmt: skip
"""Values that a field may hold by mistake."""


def variants(value: Any, odd: tuple[Any, ...] = ODD) -> Iterator[tuple[str, Any]]:
    """(what was done, copy) for every member of ``value`` (of lists the first two) replaced by each odd value or gone.

    ``value`` is as JSON, YAML or TOML gives it.
    """
    for place in _places(value):
        for other in (*odd, _GONE):
            whole = copy.deepcopy(value)
            inner = whole
            for key in place[:-1]:
                inner = inner[key]
            if other is _GONE:
                del inner[place[-1]]
            else:
                inner[place[-1]] = copy.deepcopy(other)
            yield f"{'.'.join(map(str, place))} = {'gone' if other is _GONE else repr(other)[:20]}", whole


_GONE = object()


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(min(len(value), 2)) if isinstance(value, list) else ()
    for key in keys:
        yield (*above, key)
        yield from _places(value[key], (*above, key))


def refusals(value: Any, read: Callable[[Any], object], odd: tuple[Any, ...] = ODD) -> int:
    """How many variants of ``value`` are refused by ``read``; one that raises no one-line UserError fails the test."""
    read(value)  # as it stands it is right
    refused = 0
    for done, variant in variants(value, odd):
        try:
            read(variant)
        except Exception as error:  # any other than a UserError is what is looked for
            if isinstance(error, UserError) and "\n" not in str(error):
                refused += 1
                continue
            raise AssertionError(f"{done}: {type(error).__name__}: {error}") from error
    return refused
