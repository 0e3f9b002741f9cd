"""What would settle a forecast: more items, or one more size, until its 80% interval is half as wide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scalecurve.analysis.forecast.forecast import sampling_ratio
from scalecurve.analysis.forecast.methods import Known
from scalecurve.analysis.forecast.panel import Panel
from scalecurve.analysis.forecast.past import Past
from scalecurve.analysis.forecast.process import process
from scalecurve.analysis.gather import coordinate, from_coordinate
from scalecurve.types import Curve

ITEMS = (2, 4, 8, 16)  # times as many
PLACES = (0.25, 0.5, 0.75, 0.9)  # of the way from the largest known size to the target, on the axis
GOAL = 0.5


@dataclass(frozen=True, slots=True)
class Settling:
    """What more evidence would do to the 80% interval of a forecast; widths as shares of today's.

    ``items``: how many times as many items halve it, None where 16 times as many do not (``items_width`` is what 16
    times as many leave). ``size``: the smallest further model that halves it, else the one that narrows it most, and
    ``size_width`` what it leaves. ``n`` is the number of items of today.
    """

    curve: Curve
    x: float
    n: int
    items: int | None
    items_width: float
    size: float
    size_width: float


def settle(panel: Panel, curve: Curve, x: float, past: Past | None = None) -> Settling:
    """What would halve the 80% interval of ``curve`` at ``x``, by the spread of the process of today.

    The process with its settings as learnt says how far the score is in doubt; evidence that is not there yet is taken
    to come out as predicted, which leaves the middle where it is and narrows the spread.
    """
    past = past or Past(panel)
    members = past.members(curve, x, x)
    if members is None:
        raise ValueError(f"{curve.task}: too few points below {x}")
    weights, factor = past.weights(curve, members, x)
    known, position = members.known, coordinate(curve.axis, x)
    combined = sum(weight * members.values[name] for name, weight in weights.items())
    apart = sum(weight * (members.values[name] - combined) ** 2 for name, weight in weights.items())
    own = members.mixture.moments()[1]
    own_part = members.mixture.own_share() * sampling_ratio(curve, len(known.x), combined)
    se = float(np.nan_to_num(known.se[-1])) * own_part**0.5
    today = se**2 + factor * (own + apart)

    def width(changed: float, noise: float) -> float:
        doubt = factor * (own + apart) * min(changed / own, 1.0)  # the members agree better as the process is surer
        return float(((noise**2 + doubt) / today) ** 0.5)

    def doubt_of(points: Known) -> float:
        return process([points], position)[0].moments()[1]

    base = doubt_of(known)
    items, left = None, 1.0
    for times in ITEMS:
        finer = replace(known, se=known.se / times**0.5)
        left = width(own * doubt_of(finer) / base, se / times**0.5)
        if left <= GOAL:
            items = times
            break
    sizes = []
    for place in PLACES:
        at = float(known.x[-1]) + place * (position - float(known.x[-1]))
        middle = float(known.y[-1]) + place * (combined - float(known.y[-1]))
        more = replace(
            known, x=np.append(known.x, at), y=np.append(known.y, middle), se=np.append(known.se, known.se[-1]),
            drivers=None,
        )  # fmt: skip
        sizes.append((width(own * doubt_of(more) / base, se), from_coordinate(curve.axis, at)))
    enough = [each for each in sizes if each[0] <= GOAL]
    size_width, size = enough[0] if enough else min(sizes)
    return Settling(curve, x, curve.n[-1], items, left, size, size_width)
