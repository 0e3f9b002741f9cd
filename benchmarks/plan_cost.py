"""What `scalecurve plan` foretells against what the run then takes. Bar: within 25 %.

    python benchmarks/plan_cost.py [--pilot 30] [--limit 100] [--study lab|smollm2-135m] [--processor-time]

Two small studies: the laboratory's ladder, and SmolLM2-135M on such tasks. For each rung: tokens through the layers,
generated tokens and seconds, planned, actual, and actual ÷ planned. Seconds are those of the wall; with
``--processor-time`` those of the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from scalecurve.cost import estimate, pilot
from scalecurve.runner.part import compute, open_for, part_size, parts_of
from scalecurve.study.plan import Plan, make_plan
from scalecurve.study.study import parse_study
from scalecurve.study.task_plan import cells_of

SHOTS = {"strategies": ["direct", "chain_of_thought"], "shots": [2], "shot_policy": "fixed"}
STUDIES: dict[str, dict[str, Any]] = {
    "lab": {
        "models": ["lab"],
        "tasks": [{"ref": "lab:addition"} | SHOTS, {"ref": "lab:two_hop_facts"} | SHOTS, "lab:facts", "lab:rebus"],
    },
    "smollm2-135m": {
        "models": ["smollm2-135m"],
        "tasks": [{"ref": "lab:addition:2_digits"} | SHOTS, "lab:facts_choice", "lab:rebus", "lab:reversal"],
    },
}


def actual(plan: Plan) -> list[tuple[float, float, float]]:
    """For each rung: tokens through the layers, generated tokens, seconds from opening the model to the last part."""
    found = []
    for family, rung in plan.rungs():
        began = pilot.clock()
        model, opened = open_for(plan, rung, None)
        written = 0.0
        for at, task in enumerate(plan.tasks):
            for part in parts_of(plan, at, part_size(plan.study.part_size, opened.params_total)):
                done = compute(model, plan, cells_of(family, rung, task), part)
                written += sum(int(each.totals["generated_tokens"]) for each in done.values())
        forwarded = model.forwarded_tokens  # type: ignore[attr-defined]  # of local models only
        found.append((float(forwarded), written, pilot.clock() - began))
        model.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pilot", type=float, default=30.0)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--study", action="append", choices=list(STUDIES))
    parser.add_argument("--processor-time", action="store_true")
    given = parser.parse_args()
    if given.processor_time:
        pilot.clock = time.process_time
    for name in given.study or STUDIES:
        plan = make_plan(parse_study({"name": name, "limit": given.limit} | STUDIES[name]))
        began = time.perf_counter()
        planned = estimate(plan, pilot_seconds=given.pilot)
        print(f"{name}: planned in {time.perf_counter() - began:.0f} s")
        print(f"| model |{'|'.join(f' {what} planned | actual | ratio ' for what in ('tokens', 'written', 's'))}|")
        print("|---|---|---|---|---|---|---|---|---|---|")
        sums = [0.0] * 6
        for rung, (tokens, written, seconds) in zip(planned.rungs, actual(plan), strict=True):
            row = [rung.tally.forwarded, tokens, rung.tally.written, written, rung.seconds or 0.0, seconds]
            sums = [total + each for total, each in zip(sums, row, strict=True)]
            print(line(rung.rung, row), flush=True)
        print(line("all", sums))


def line(name: str, row: list[float]) -> str:
    pairs = [(row[at], row[at + 1]) for at in (0, 2, 4)]
    shown = [f"{planned:,.0f} | {got:,.0f} | **{got / planned if planned else 0:.2f}**" for planned, got in pairs[:2]]
    shown.append(f"{pairs[2][0]:.1f} | {pairs[2][1]:.1f} | **{pairs[2][1] / max(pairs[2][0], 1e-9):.2f}**")
    return f"| {name} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    main()
