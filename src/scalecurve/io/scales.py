"""How large models are, and how long they were trained, as columns of tables say it: the unit of a number stands in its
cell (``7B``), in its column's name (``params_b``, ``Size (M)``), or nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scalecurve.io.cells import SCALE, amount, shots_in
from scalecurve.io.conventions import missing_mark
from scalecurve.io.headings import NAMES, plain, plain_and_unit

SMALLEST_MODEL = 10_000  # parameters; a smaller number without a unit counts billions


def unit_of(column: str) -> float:
    """What a unit in a column's name multiplies by: ``(B)``, ``_m``, ``(1E21)``; 1 where it names none."""
    match = re.search(r"[(（\[]([^)）\]]*)[)）\]]\s*$", column)
    text = re.sub(r"^in\s+", "", match[1].strip().lower()) if match else plain_and_unit(column)[1]
    if text in SCALE:
        return SCALE[text]
    try:
        return float(text)
    except ValueError:
        return 1.0


def scaled(value: object, column: str) -> float | None:
    """A cell's count under its own unit, else under that of its column's name; None where it is no count.

    >>> scaled("125", "Params (M)"), scaled("7B", "params_b"), scaled(0.4, "size_b"), scaled("large", "size")
    (125000000.0, 7000000000.0, 400000000.0, None)
    """
    found = amount(value)
    return found if found is None or has_unit(value) else found * unit_of(column)


def has_unit(value: object) -> bool:
    """Whether a cell names its own unit (``7B``, ``350 million``)."""
    return isinstance(value, str) and bool(re.search(r"\d[\s_-]*(?!e[+\d])[^\W\d_]", value.lower()))


def parameters(value: object, column: str, counted: bool) -> float | None:
    """A cell's number of parameters: a small number without a unit counts billions, unless the column's small numbers
    are known to be counts (``counted``, see ``counts``)."""
    found = scaled(value, column)
    bare = not has_unit(value) and unit_of(column) == 1
    return found * 1e9 if found is not None and found < SMALLEST_MODEL and bare and not counted else found


def counts(values: list[Any], column: str) -> bool:
    """Whether small numbers of a column (3000) continue its large ones (27000) as they stand, and not as billions."""
    sizes = [found for one in values if (found := scaled(one, column)) and found > 0]
    small = max((size for size in sizes if size < SMALLEST_MODEL), default=None)
    large = min((size for size in sizes if size >= SMALLEST_MODEL), default=None)
    return bool(small and large and large / small < max(small * 1e9, large) / min(small * 1e9, large))


def doubts(ours: str, column: str, values: list[Any]) -> Iterator[str]:
    """What of a column of scale or shots was understood in a way worth telling, or not at all."""
    read = shots_in if ours == "shots" else amount
    odd = [str(one) for one in values if read(one) is None and not missing_mark(one)]
    if odd:
        yield f"not understood as {ours}: {', '.join(odd[:4])}; write it as a number"
    bare = [] if ours == "shots" or unit_of(column) != 1 else [one for one in values if not has_unit(one)]
    small = next((size for one in bare if (size := amount(one)) and 0 < size < SMALLEST_MODEL), None)
    if small and ours.startswith("params") and not counts(values, column):
        yield f"numbers without a unit are taken as billions ({small:g} is {small:g}B)"
    if small and ours == "training_tokens":
        yield f"{small:g} has no unit and is left out; write it as 300B or 1.4T"
    products = [str(one) for one in values if isinstance(one, str) and re.search(r"\d\s*[x×]\s*\d", one)]
    if products and ours.startswith("params"):
        size = amount(products[0])
        yield f"{products[0]} is taken as {size:.3g}; experts share layers, so give the exact size where it is known"


def sizes_named_n(names: list[str], values: list[Any]) -> bool:
    """Whether a column called ``N`` or ``n`` holds parameters, as papers on scaling laws call them, and no numbers of
    items: of the latter nobody asks a million."""
    if {plain(one) for one in names} & set(NAMES["params_total"]):
        return False
    found = [amount(one) for one in values]
    return bool(found) and all(one is not None and one >= 1e6 for one in found)
