"""A plausible run directory without any model: known curves, answers to match, and texts that try to do harm."""

from __future__ import annotations

import base64
import gzip
import json
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import polars as pl

from scalecurve.analysis import AXES, judge_all
from scalecurve.analysis.derive import derive
from scalecurve.analysis.verdicts.run import judge_run
from scalecurve.store import RunDirectory, task_record
from scalecurve.store.atomic import write_bytes, write_parquet
from scalecurve.store.parts import part_bytes, write_part
from scalecurve.types import Answer, Cell, Example, Rung, Task

Shape = Callable[[float], float]
EVIL = (
    "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    "\x1b[31mred\x1b[0m \u202eevil\u202c\x00 \u2066x\u2069"
)

SHAPES: dict[str, Shape] = {
    "sudden": lambda t: 0.02 + 0.93 / (1 + math.exp(-28 * (t - 0.62))),
    "steady": lambda t: 0.05 + 0.80 * t,
    "flat": lambda t: 0.24,
    "falling": lambda t: 0.75 - 0.5 * t,
    "valley": lambda t: 0.75 - 1.9 * t * (1 - t) * 1.15,
    "solved": lambda t: 0.965,
}


def rungs(count: int = 7) -> list[Rung]:
    """A ladder of ``count`` sizes, each 3.2 times the one before."""
    made = []
    for i in range(count):
        size = int(8_000 * 3.2**i)
        made.append(
            Rung(f"syn-{size // 1000}k", "mock", f"mock:{i}", size, size + 20_000, 6.0 * size * 1e8, 100_000_000, 4000)
        )
    return [Rung(**{**asdict(rung), "loss": 3.2 - 0.25 * i, "notes": ()}) for i, rung in enumerate(made)]


def make_run(
    path: Path,
    *,
    tasks: int = 6,
    rung_count: int = 7,
    examples: int = 120,
    strategies: Sequence[str] = ("direct", "chain_of_thought"),
    evil: bool = False,
    family: str = "syn",
    name: str = "synthetic",
    verdicts: bool = True,
    belief: bool = False,
) -> Path:
    """Write a whole run: manifest, outputs, scores, curves and (where wanted) verdicts."""
    run, ladder, rng = RunDirectory(path), rungs(rung_count), random.Random(7)
    shapes = list(SHAPES)
    records, cells = [], []
    for index in range(tasks):
        shape, choice = shapes[index % len(shapes)], index % 3 == 2
        task = _task(index, shape, choice, examples, evil and index == 0, belief)
        metrics = ["multiple_choice_grade", "option_probability", "correct_logprob", "wrong_logprob"] if choice else [
            "exact_match", "target_logprob", "edit_similarity"]  # fmt: skip
        records.append(task_record(f"lab:{task.name}", task, metrics))
        for strategy in strategies:
            luck = [rng.random() for _ in task.examples]
            for place, rung in enumerate(ladder):
                t = place / max(1, len(ladder) - 1)
                level = SHAPES[shape](t if strategy == "direct" else min(1.0, t * 1.5))
                cell = Cell(family, rung.name, f"lab:{task.name}", strategy, 0)
                rows = [(e, _answer(task, e, level, luck[i], strategy, rng)) for i, e in enumerate(task.examples)]
                write_part(run, cell, 0, "0" * 16, part_bytes(cell, rows))
                cells.append(_cell_record(cell, len(rows)))
    manifest = {
        "scalecurve": "0.1.0",
        "study": name,
        "created": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:09:05+00:00",
        "environment": {"python": "3.11.9", "platform": "Linux", "libraries": {"polars": "1.20", "torch": "2.6"}},
        "rungs": [{"family": family, **asdict(rung), "fingerprint": "f" * 64} for rung in ladder],
        "tasks": records,
        "cells": cells,
        "totals": {
            "cells": len(cells), "failed_cells": 0, "failed_examples": 0, "examples": len(cells) * examples,
            "prompt_tokens": 123_456, "generated_tokens": 65_432, "seconds": 98.7,
        },
    }  # fmt: skip
    run.write_manifest(json.loads(json.dumps(manifest, default=str)))
    write_bytes(run.study, f'name = "{name}"\nmodels = ["{family}"]\nstrategies = ["direct"]\nshots = [0]\n'.encode())
    derive(run)
    if verdicts:
        judge_run(run)
    return path


def _cell_record(cell: Cell, examples: int) -> dict[str, object]:
    return {"key": cell.key, **asdict(cell), "examples": examples, "status": "done", "reason": "", "seconds": 1.0,
            "prompt_tokens": 10, "generated_tokens": 5, "failed_examples": 0, "parts": {0: "0" * 16}}  # fmt: skip


def _task(index: int, shape: str, choice: bool, count: int, evil: bool, belief: bool = False) -> Task:
    name = f"{shape}_{index}" if index < 4 else f"group_{index // 4}:{shape}_{index}"
    made = []
    for i in range(count):
        question = f"Is item {i} of {name} larger than {i * 7 % 13}?" + (f" {EVIL}" if evil and i == 0 else "")
        if choice:
            if belief:  # what is picked when the answer is wrong
                question += f" I think it is {('yes', 'no', 'maybe', 'never')[(i + 1) % 4]}."
            options, worth = ("yes", "no", "maybe", "never"), tuple(float(o == i % 4) for o in range(4))
            made.append(Example(f"q{i}", question, (), options, worth))
        else:
            made.append(Example(f"q{i}", question, (f"word{i}",)))
    preferred = "multiple_choice_grade" if choice else "exact_match"
    about = f"A made-up ability whose score is {shape}." + (EVIL if evil else "")
    return Task(
        name, tuple(made), (preferred,), preferred, description=about, keywords=("synthetic", shape), source="lab",
        parent=name.split(":")[0] if ":" in name else "", chance=0.25 if choice else 0.0, fingerprint="a" * 64,
    )  # fmt: skip


def _answer(task: Task, example: Example, level: float, luck: float, strategy: str, rng: random.Random) -> Answer:
    right = luck < level
    prompt = f"\nQ: {example.input}\nA:" + (" Let's think step by step. " if strategy != "direct" else " ")
    if example.options:
        best = max(range(4), key=lambda o: example.option_scores[o])
        chosen = best if right else (best + 1) % 4
        logprobs = tuple(-0.4 - rng.random() * 0.2 if o == chosen else -2.0 - rng.random() * 2 for o in range(4))
        return Answer(example.id, prompt, example.options, logprobs, (1,) * 4, (False,) * 4, prompt_tokens=12)
    said = example.targets[0] if right else rng.choice(["nothing", "perhaps", "word", "seven"])
    text = f" {said}." + (EVIL if "script" in example.input else "")
    logprob = math.log(max(0.002, min(0.98, level))) + rng.gauss(0, 0.1)
    return Answer(
        example.id, prompt, target_logprobs=(logprob,), target_tokens=(3,), text=text, response=said,
        text_logprob=-1.0, prompt_tokens=12, generated_tokens=4,
    )  # fmt: skip


def make_large_run(path: Path, curves: int, *, rung_count: int = 8, examples: int = 20) -> Path:
    """A run of ``curves`` (task, strategy) arms for timing: tables written at once, outputs only where asked for."""
    strategies = ("direct", "chain_of_thought")
    tasks = max(1, curves // len(strategies))
    if examples:
        return make_run(path, tasks=tasks, rung_count=rung_count, examples=examples, strategies=strategies)
    run, ladder = RunDirectory(path), rungs(rung_count)
    shapes, rng, rows, records = list(SHAPES), random.Random(3), [], []
    for index in range(tasks):
        shape = shapes[index % len(shapes)]
        task = _task(index, shape, False, 1, False)
        records.append(task_record(f"lab:{task.name}", task, ["exact_match"]))
        for strategy in strategies:
            for place, rung in enumerate(ladder):
                y = min(1.0, max(0.0, SHAPES[shape](place / (rung_count - 1)) + rng.gauss(0, 0.015)))
                scales = {axis: getattr(rung, axis) for axis in AXES}
                key = {"family": "syn", "task": f"lab:{task.name}", "strategy": strategy, "shots": 0}
                score = {"y": y, "se": 0.02, "n": 400, "failed": 0, "chance": 0.0, "ceiling": 1.0}
                named = {"metric": "exact_match", "rung": rung.name, "higher_is_better": True, "preferred": True}
                rows.append(key | named | scales | score)
    frame = pl.DataFrame(rows)
    write_parquet(run.curves, frame)
    write_parquet(run.verdicts, judge_all(frame, replicates=0))
    run.write_manifest({
        "scalecurve": "0.1.0", "study": "large", "created": "", "finished": "", "cells": [], "tasks": records,
        "rungs": [{"family": "syn", **asdict(rung), "fingerprint": ""} for rung in ladder], "totals": {},
    })  # fmt: skip
    return path


def unpacked(html: str, name: str) -> dict:
    """What a report's HTML carries under ``name``."""
    text = re.search(rf'<script type="application/gzip" id="{name}">([^<]*)</script>', html)[1]
    return json.loads(gzip.decompress(base64.b64decode(text)))
