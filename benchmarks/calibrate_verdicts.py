"""Makes the table of ``analysis.verdicts.calibration``: how often a verdict stated with probability p is right.

python benchmarks/calibrate_verdicts.py [curves]

Draws curves of the shapes of ``operating_characteristics`` (not those of ``adversaries``, which check the result), with
50 to 5,000 items, 5 to 12 scales and scatter of models, and fits for each shape a rising table of the share that is
right by stated probability (pool adjacent violators, shrunk to the stated probability with the
weight of ten curves). A shape and its mirror image are counted together.
"""

from __future__ import annotations

import sys

import numpy as np
from adversaries import curve_of, drawn
from operating_characteristics import TRUTHS

from scalecurve.analysis.verdicts import calibration
from scalecurve.analysis.verdicts.judge import decide, look
from scalecurve.analysis.verdicts.posterior import SCATTER_PRIOR, weigh
from scalecurve.analysis.verdicts.rise import REJECTED

CHANCE, DECADES, WEIGHT = 0.25, 3.0, 10.0


def main() -> None:
    curves = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = np.random.default_rng(2026)
    calibration.RIGHT.clear()  # the stated probability itself
    stated: dict[str, list[tuple[float, bool]]] = {}
    names = [name for name in TRUTHS if name != "power p^T"]
    for _ in range(curves):
        name = str(rng.choice(names))
        truth, shape = TRUTHS[name]
        scales, n = int(rng.integers(6, 13)), int(np.exp(rng.uniform(np.log(50), np.log(5000))))
        u = np.linspace(0, 1, scales)
        y = drawn(truth(u, rng), n, rng, float(rng.choice([0.0, 0.01, 0.02, 0.03])))
        curve = curve_of(y, 7 + DECADES * u, n, 0.0 if name == "near zero" else CHANCE)
        found = look(curve)
        if found.evidence is None or found.masses is None:
            continue
        decision = decide(found.evidence, weigh(found.masses, SCATTER_PRIOR))
        if decision.gain is not None and decision.gain < REJECTED:
            continue  # left open, whatever its probability
        right = decision.shape == shape or (name == "one bad model" and decision.shape in ("smooth", "late"))
        mirrored = {"inverse": "smooth", "inverted-U": "U"}.get(decision.shape, decision.shape)
        stated.setdefault(mirrored, []).append((decision.probability, right))
    print("RIGHT: dict[str, tuple[float, ...]] = {")
    for shape, rows in sorted(stated.items()):
        print(f'    "{shape}": {table(rows)},  # {len(rows)} curves')
    print("}")


def table(rows: list[tuple[float, bool]]) -> tuple[float, ...]:
    """The share right at each of ``calibration.STATED``."""
    p, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], float)
    edges = np.array(calibration.STATED)
    shares, weights = [], []
    for i, at in enumerate(edges):
        low = (edges[i - 1] + at) / 2 if i else 0.0
        high = (edges[i + 1] + at) / 2 if i + 1 < len(edges) else 1.01
        own = (p >= low) & (p < high)
        shares.append(float((right[own].sum() + WEIGHT * at) / (own.sum() + WEIGHT)))
        weights.append(float(own.sum() + WEIGHT))
    blocks: list[list[float]] = []  # pool adjacent violators
    for share, weight in zip(shares, weights, strict=True):
        blocks.append([share, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [[(a * wa + b * wb) / (wa + wb), wa + wb, na + nb]]
    return tuple(round(share, 3) for share, _, count in blocks for _ in range(int(count)))


if __name__ == "__main__":
    main()
