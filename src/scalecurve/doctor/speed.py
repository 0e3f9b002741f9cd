"""How fast this machine multiplies, and so about how long models take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from scalecurve.doctor.machine import THREADS

SIZE, SECONDS = 1024, 0.4
SHARE = 0.8
"""What a model's forward pass reaches of the rate of a large product. Measured: ``benchmarks/doctor.py``."""
OVERHEAD = 6e5
"""Work of one token beside the products, in FLOPs at that rate: what the smallest models spend."""
LADDERS = ("lab", "smollm2")
LARGEST = 200_000_000
QUESTIONS, TOKENS = 1000, 100

_PRODUCT = f"""
import time
import numpy as np
a = np.random.default_rng(0).random(({SIZE}, {SIZE}), dtype=np.float32)
best, until = float("inf"), time.perf_counter() + {SECONDS}
a @ a
while time.perf_counter() < until:
    began = time.perf_counter()
    a @ a
    best = min(best, time.perf_counter() - began)
print(2 * {SIZE} ** 3 / best)
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """A model on this machine's processors: tokens read in a second, and seconds for 1,000 questions of 100 tokens."""

    model: str
    parameters: int
    tokens_per_second: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Speed:
    """FLOP/s of a float32 product by one thread and by as many as libraries take; None where it could not be measured.

    ``paces`` are rough estimates from it, good to a factor of about three: for prompts that share nothing, in float32,
    and without a graphics card.
    """

    one_thread: float | None
    all_threads: float | None
    paces: tuple[Pace, ...]


def measure() -> Speed:
    """About a second of arithmetic, in processes of their own since libraries choose their threads once."""
    one, every = _rate(dict.fromkeys(THREADS, "1")), _rate({})
    return Speed(one, every, () if one is None or every is None else paces(one, max(one, every)))


def paces(one_thread: float, all_threads: float) -> tuple[Pace, ...]:
    """Estimates for the laboratory's rungs and the smallest published models. Small models run on one thread each."""
    from scalecurve.models import SMALL, load_ladder

    rungs = [rung for ladder in LADDERS for rung in load_ladder(ladder).rungs]
    found = []
    for rung in rungs:
        weights, total = rung.params_non_embedding or 0, rung.params_total or 0
        if weights and total <= LARGEST:
            work = 2.0 * weights / SHARE + OVERHEAD
            rate = (one_thread if total < SMALL else all_threads) / work
            found.append(Pace(rung.name, weights, rate, QUESTIONS * TOKENS / rate))
    return tuple(found)


def _rate(environment: Mapping[str, str]) -> float | None:
    command = [sys.executable, "-c", _PRODUCT]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, env={**os.environ, **environment}, check=True
        )
        return float(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
