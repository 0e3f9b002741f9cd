"""How often verdicts are right: curves of known shape are simulated, judged, and counted.

python benchmarks/operating_characteristics.py [repetitions] [--quick | --adversaries | --strangers | …]

Prints the confusion matrix for 6, 8 and 12 scales with 100 and 1,000 items, the false-emergence rate on all that
is no step, the detection of steps, how many p^T curves are named artefacts of the metric, and the false alarms of the
plain rule "B above a cut-off" at the same detection. Scores are binomial, scales evenly spaced over three decades.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalecurve.analysis import artefact_check, breakthroughness, judge, standard_error
from scalecurve.analysis.stats.errors import wilson
from scalecurve.types import Curve, Verdict

if TYPE_CHECKING:
    from adversaries import Case

Floats = NDArray[np.float64]
CHANCE, DECADES, TOKENS, REPLICATES = 0.25, 3.0, 10, 0


def logistic(t: Floats) -> Floats:
    return 1 / (1 + np.exp(-t))


def bad_model(u: Floats, rng: np.random.Generator) -> Floats:
    y = 0.3 + 0.4 * u
    y[rng.integers(1, len(u) - 1)] += rng.choice([-0.25, 0.25])
    return y


def late_step(u: Floats, rng: np.random.Generator) -> Floats:
    """A step between any two scales that leave three on the floor and three above."""
    scales = len(u)
    at = rng.integers(3, scales - 2) - 0.5
    return CHANCE + rng.uniform(0.2, 0.6) * logistic(20 * (np.arange(scales) - at))


# Name → expected success rate by place on the axis (0 to 1), and the shape it should be given.
Truth = Callable[[Floats, np.random.Generator], Floats]
TRUTHS: dict[str, tuple[Truth, str]] = {
    "flat at chance": (lambda u, r: 0 * u + CHANCE, "flat"),
    "flat at .40": (lambda u, r: 0 * u + 0.40, "flat"),
    "near zero": (lambda u, r: 0.007 * u**4, "flat"),
    "line": (lambda u, r: 0.25 + 0.50 * u, "smooth"),
    "concave": (lambda u, r: 0.25 + 0.60 * (1 - np.exp(-3 * u)), "smooth"),
    "saturating": (lambda u, r: 0.30 + 0.69 * (1 - np.exp(-8 * u)), "saturated"),
    "inverse": (lambda u, r: 0.70 - 0.40 * u, "inverse"),
    "U": (lambda u, r: 0.30 + 0.60 * np.abs(u - 0.5), "U"),
    "inverted U": (lambda u, r: 0.65 - 0.80 * np.abs(u - 0.5), "inverted-U"),
    "one bad model": (bad_model, "smooth"),
    "power p^T": (lambda u, r: np.exp(TOKENS * (-0.7 + 0.65 * u)), "late"),
    "step": (lambda u, r: 0.25 + 0.50 * logistic(12 * DECADES * (u - 0.5)), "emergent"),
    "step anywhere": (late_step, "emergent"),
    "hinge": (lambda u, r: 0.25 + 1.00 * np.maximum(u - 0.5, 0), "late"),
    "cubic": (lambda u, r: 0.25 + 0.50 * u**3, "late"),
    "wide sigmoid": (lambda u, r: 0.25 + 0.60 * logistic(6 * (u - 0.8)), "late"),
}
STEPS = ("step", "step anywhere")
NOT_STEPS = tuple(name for name in TRUTHS if name not in STEPS)


def curve_of(y: Floats, se: Floats, n: int, u: Floats, metric: str, chance: float | None) -> Curve:
    return Curve(
        family="simulated", task="t", strategy="direct", shots=0, metric=metric, axis="params_non_embedding",
        rungs=tuple(f"r{i}" for i in range(len(u))), x=tuple((10 ** (7 + DECADES * u)).tolist()), y=tuple(y.tolist()),
        se=tuple(se.tolist()), n=(n,) * len(u), chance=chance, ceiling=None if chance is None else 1.0,
    )  # fmt: skip


def proportions(p: Floats, n: int, u: Floats, chance: float, rng: np.random.Generator) -> Curve:
    y = rng.binomial(n, p) / n
    return curve_of(y, np.array([standard_error(v, n) for v in y]), n, u, "exact_match", chance)


def power(p: Floats, n: int, u: Floats, rng: np.random.Generator) -> tuple[Curve, list[Curve]]:
    """Exact match of ten tokens, with the share of tokens right and the target's log-probability on the same items."""
    per_token = p ** (1 / TOKENS)
    right = rng.binomial(TOKENS, np.broadcast_to(per_token, (n, len(u)))) / TOKENS
    hard = rng.normal(0, 2, (n, 1)) + TOKENS * np.log(per_token) + rng.normal(0, 0.5, (n, len(u)))
    exact = (right == 1).mean(axis=0)
    companions = [
        curve_of(v.mean(axis=0), v.std(axis=0, ddof=1) / n**0.5, n, u, name, chance)
        for v, name, chance in ((right, "edit_similarity", 0.0), (hard, "target_logprob", None))
    ]
    return curve_of(exact, np.array([standard_error(v, n) for v in exact]), n, u, "exact_match", 0.0), companions


def simulate(name: str, scales: int, n: int, rng: np.random.Generator) -> tuple[str, float, str]:
    """(the shape, B, the artefact status) of one simulated curve. The shape is counted whatever the status says."""
    u = np.linspace(0, 1, scales)
    p = TRUTHS[name][0](u, rng)
    companions: list[Curve] = []
    if name == "power p^T":
        curve, companions = power(p, n, u, rng)
    else:
        curve = proportions(p, n, u, 0.0 if name == "near zero" else CHANCE, rng)
    verdict = judge(curve, replicates=REPLICATES)
    status = artefact_check(curve, verdict, companions).artefact if companions else ""
    return verdict.shape, breakthroughness(curve.y, zero_on_constant=True), status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repetitions", nargs="?", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="8 scales and 1,000 items only")
    parser.add_argument("--adversaries", action="store_true", help="curves that were not used to design the rules")
    parser.add_argument("--strangers", action="store_true", help="curves of yet other kinds: confidence and intervals")
    parser.add_argument("--literature", action="store_true", help="the literature's shapes: confidence and intervals")
    parser.add_argument(
        "--practitioners", action="store_true", help="ladders of practice, by one who had not seen the rule"
    )
    parser.add_argument("--falls", action="store_true", help="falls of .15 with 250 items")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.adversaries:
        adversarial(options.repetitions, options.seed)
        return
    if options.falls:
        falls(options.repetitions, options.seed)
        return
    for name in ("strangers", "literature", "practitioners"):
        if getattr(options, name):
            strange(options.repetitions, options.seed, name)
            return
    sizes = [(8, 1000)] if options.quick else [(m, n) for n in (100, 1000) for m in (6, 8, 12)]
    started, pooled = time.perf_counter(), {}
    for scales, n in sizes:
        rng = np.random.default_rng((scales, n))
        results = {name: [simulate(name, scales, n, rng) for _ in range(options.repetitions)] for name in TRUTHS}
        print_matrix(f"{scales} scales, {n:,} items", results, options.repetitions)
        pooled.setdefault(n, []).append(results)
    for n, groups in pooled.items():
        print_summary(f"All sizes, {n:,} items", {name: [r for g in groups for r in g[name]] for name in TRUTHS})
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


# ── Adversaries ──────────────────────────────────────────────────────────────────────────────────────────────
GRADUAL = ("irt", "sigmoid", "ramp", "convex", "exponential", "power law", "two stages", "hinge")
OTHERS = ("fall", "late fall", "line", "slowing", "dip", "hump", "odd model", "dip, then rise", "lottery")
FREE = ("irt", "sigmoid", "ramp")  # of any width
ITEMS = (50, 250, 1000, 5000)


def adversarial(repetitions: int, seed: int) -> None:
    """False emergence, steps found, flat curves with scatter, calibration and intervals, on ``adversaries``."""
    import adversaries as other

    rng = np.random.default_rng(seed)
    judged: list[tuple[other.Case, Verdict]] = []

    def look(case: other.Case) -> Verdict:
        verdict = judge(case.curve, case.items, clusters=case.clusters, replicates=0)
        judged.append((case, verdict))
        return verdict

    def noise() -> float:
        return float(rng.choice([0.0, 0.0, 0.01, 0.02]))

    wide = []
    for n, kind in product(ITEMS, GRADUAL):
        for _ in range(repetitions):
            width = float(rng.uniform(1.5, 3.5)) if kind in FREE else None
            case = other.rise_case(rng, int(rng.integers(5, 13)), n, kind, width, noise())
            verdict = look(case)
            if (case.width or 0) >= 1.5:
                wide.append(verdict.shape == "emergent")
    told("rises of 1.5 decades or more, or convex, called emergent", wide)
    for n in (100, 250, 1000, 5000):
        steps = [look(other.step_case(rng, int(rng.integers(8, 13)), n, noise())).shape for _ in range(4 * repetitions)]
        told(f"steps within one interval called emergent, {n:,} items", [shape == "emergent" for shape in steps])
    for sd in (0.0, 0.02, 0.04):
        wrong = []
        for n, _ in product((250, 1000, 5000), range(2 * repetitions)):
            verdict = look(other.other_case(rng, 8, n, str(rng.choice(["flat", "flat at chance"])), sd))
            wrong.append(verdict.shape not in ("flat", "inconclusive") and (verdict.confidence or 0) >= 0.9)
        told(f"flat, models scatter by {sd}: a wrong shape at 90 % or more", wrong)
    for kind, n in product(OTHERS, (250, 1000, 5000)):
        shapes = Counter(
            look(other.other_case(rng, int(rng.integers(6, 13)), n, kind, noise())).shape for _ in range(repetitions)
        )
        print(f"- {kind}, {n:,} items: {dict(shapes.most_common())}")
    for kind, n in product(FREE, (100, 250, 1000, 5000)):
        for _ in range(repetitions):
            look(other.rise_case(rng, int(rng.integers(6, 13)), n, kind, None, noise()))
    told("passages of 20 questions, flat truth called flat or left open", [
        look(other.clustered_flat(rng, 8)).shape in ("flat", "inconclusive") for _ in range(repetitions)
    ])  # fmt: skip
    for name, make in (("p^T", other.power_case), ("true steps, fluency rises", other.fluent_step)):
        cases = [make(rng, 8, 1000) for _ in range(2 * repetitions)]
        status = [artefact_check(c.curve, judge(c.curve, replicates=0), c.companions).artefact for c in cases]
        told(f"{name} named metric artefacts", [said == "metric-artefact" for said in status])
    print_calibration(judged)
    print_intervals(judged)


def strange(repetitions: int, seed: int, name: str) -> None:
    """Calibration, errors and intervals on ``strangers`` or its like, and what each kind is called."""
    other = import_module(name)
    rng = np.random.default_rng(seed)
    judged: list[tuple[Case, Verdict]] = []
    for kind in other.KINDS:
        cases = [other.case(rng, kind) for _ in range(repetitions)]
        found = [(case, judge(case.curve, case.items, clusters=case.clusters, replicates=0)) for case in cases]
        print(f"- {kind}: {dict(Counter(verdict.shape for _, verdict in found).most_common())}", flush=True)
        judged += found
    print_errors(judged)
    print_calibration(judged)
    print_intervals(judged)


def falls(repetitions: int, seed: int) -> None:
    """Falls of .15 over 5 to 12 models with 250 items: straight, early, late; models scatter by 0 to .02."""
    import adversaries as other

    rng = np.random.default_rng(seed)
    courses: dict[str, Callable[[Floats], Floats]] = {
        "straight": lambda u: u,
        "early": lambda u: 1 - np.exp(-3 * u),
        "late": lambda u: other.sigmoid(u, 0.6, 0.4),
    }
    for name, course in courses.items():
        for scatter in (0.0, 0.01, 0.02):
            shapes = []
            for _ in range(repetitions):
                x = other.ladder(rng, int(rng.integers(5, 13)))
                u = course((x - x[0]) / (x[-1] - x[0]))
                p = rng.uniform(0.45, 0.8) - 0.15 * (u - u[0]) / (u[-1] - u[0])
                y = other.drawn(p, 250, rng, scatter)
                shapes.append(judge(other.curve_of(y, x, 250, 0.25), replicates=0).shape)
            told(f"{name} falls of .15, 250 items, scatter {scatter}, named inverse", [s == "inverse" for s in shapes])
            print(f"  {dict(Counter(shapes).most_common())}", flush=True)


def told(name: str, hits: list[bool]) -> None:
    low, high = wilson(sum(hits), len(hits))
    print(f"- {name}: {sum(hits)} of {len(hits)}, {np.mean(hits):.1%} [{low:.1%}, {high:.1%}]", flush=True)


def print_errors(judged: list[tuple[Case, Verdict]]) -> None:
    """Of each shape: how often it is said where it is wrong, and where it alone is right."""
    print()
    for shape in sorted(set().union(*(case.right for case, _ in judged))):
        others = [verdict.shape == shape for case, verdict in judged if shape not in case.right]
        own = [verdict.shape == shape for case, verdict in judged if case.right == {shape}]
        for name, hits in ((f"{shape}, where it is wrong", others), (f"{shape}, where it alone is right", own)):
            if hits:
                told(name, hits)
    sure = [(case, v) for case, v in judged if v.shape != "inconclusive" and (v.confidence or 0) >= 0.9]
    if sure:
        told("firm verdicts that are wrong", [verdict.shape not in case.right for case, verdict in sure])


def print_calibration(judged: list[tuple[Case, Verdict]]) -> None:
    print("\n| confidence | verdicts | mean confidence | right | 95 % interval |\n|---|---|---|---|---|")
    judged = [(case, verdict) for case, verdict in judged if verdict.confidence is not None]
    sure = np.array([verdict.confidence for _, verdict in judged])
    right = np.array([(v.sublabel if v.shape == "inconclusive" else v.shape) in case.right for case, v in judged])
    for low, high in ((0.0, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        own = (sure >= low) & (sure < high)
        if own.any():
            ends = " to ".join(f"{end:.1%}" for end in wilson(int(right[own].sum()), int(own.sum())))
            cells = f"{own.sum()} | {sure[own].mean():.1%} | {right[own].mean():.1%} | {ends}"
            print(f"| {low:.0%}–{min(high, 1):.0%} | {cells} |")


def print_intervals(judged: list[tuple[Case, Verdict]]) -> None:
    print()
    for shape, stages in (("emergent", 1), ("late", 1), ("late", 2)):
        hits = []
        for case, verdict in judged:
            known = case.start and verdict.threshold_interval and case.stages == stages
            if verdict.shape == shape and shape in case.right and known:
                low, high = np.log10(verdict.threshold_interval or (1.0, 1.0))
                hits.append(bool(low <= (case.start or 0.0) <= high))
        if hits:
            told(f"intervals that hold where the rise begins, {shape}{', two stages' * (stages > 1)}", hits)


Results = dict[str, list[tuple[str, float, str]]]


def print_matrix(title: str, results: Results, repetitions: int) -> None:
    columns = sorted({said for rows in results.values() for said, *_ in rows})
    print(f"\n### {title}: per cent of {repetitions}\n")
    print("| truth | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name, rows in results.items():
        counts = Counter(said for said, *_ in rows)
        cells = [f"{100 * counts[c] / len(rows):.1f}".removesuffix(".0") if counts[c] else "·" for c in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_summary(title: str, results: Results) -> None:
    false = [said == "emergent" for name in NOT_STEPS for said, *_ in results[name]]
    steps = [row for name in STEPS for row in results[name]]
    found = np.mean([said == "emergent" for said, *_ in steps])
    cut = float(np.quantile([b for _, b, _ in steps], 1 - found, method="lower")) if found else np.inf
    alarms = [b >= cut for name in NOT_STEPS for _, b, _ in results[name]]
    by_name = {name: np.mean([b >= cut for _, b, _ in results[name]]) for name in NOT_STEPS}
    power_named = np.mean([status == "metric-artefact" for *_, status in results["power p^T"]])
    ratio = np.mean(alarms) / max(np.mean(false), 1 / len(false))
    print(f"\n### {title}\n")
    print(f"- steps called emergent: {found:.1%} of {len(steps)}")
    print(f"- false emergence on everything that is not a step: {np.mean(false):.2%} ({sum(false)} of {len(false)})")
    print(f"- p^T curves named metric artefacts: {power_named:.1%}")
    print(f"- rule B >= {cut:.2f}, same detection: {np.mean(alarms):.1%} false alarms, {ratio:.0f} times as many")
    print("  (" + ", ".join(f"{name} {share:.0%}" for name, share in by_name.items() if share) + ")")


if __name__ == "__main__":
    main()
