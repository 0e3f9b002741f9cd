"""From what the harness makes of a task to a Task of ours: its requests become our questions, word by word.

A document whose requests share a context becomes an example with options, one with a single greedy generation an
example that is generated; any other keeps its requests in ``metadata["requests"]``, which ``direct`` asks as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.tasks.harness.process import told
from scalecurve.tasks.lm_eval_yaml import DEFAULT_LENGTH, LENGTHS
from scalecurve.tasks.reader import blind_grade, fingerprint
from scalecurve.types import Example, Harness, Rendering, Task

SOURCE = "lm-eval"
AS_IT_STANDS = Rendering(input_prefix="", output_prefix="", separator="", append_choices=False)


def built(spec: str, shots: int | None = None) -> tuple[Task, ...]:
    """The tasks that the harness makes of a file, or of a name that it knows; ``shots`` instead of the task's own.

    Their code runs, confined (``harness.process``). ``UserError`` names what the harness does not get past.
    """
    path = Path(spec).expanduser()
    spec = str(path.resolve()) if path.is_file() else spec
    records = told(f"lm-eval:{spec}", {"op": "build", "spec": spec, "shots": shots})
    return tuple(_task(record, spec, shots) for record in records)


def graded(task: str, harness: Harness, cells: Sequence[Mapping[str, object]]) -> list[dict[str, dict[str, object]]]:
    """By cell: metric → {y, se, n, up, items} that the harness gives to recorded replies.

    A cell has ``replies`` (document → one list a request) and ``hashes`` (document → its hash when it was asked).
    """
    spec, _, shots = harness.built.rpartition("@")
    orders = {"op": "grade", "spec": spec, "shots": int(shots) if shots else None, "name": task, "cells": list(cells)}
    found: list[dict[str, dict[str, object]]] = told(f"lm-eval:{task}", orders)
    return found


def _task(record: Mapping[str, Any], spec: str, shots: int | None) -> Task:
    docs = record["docs"]
    examples = tuple(_example(doc) for doc in docs)
    simple = [
        doc["requests"][0] for doc in docs if len(doc["requests"]) == 1 and doc["requests"][0][0] != "loglikelihood"
    ]
    until, length = settings_of(simple[0][2])[:2] if simple else ((), DEFAULT_LENGTH)
    metrics = tuple(record["metrics"])
    if not metrics:
        raise UserError(f"lm-eval:{spec}: {record['name']}: names no metric; give it a metric_list")
    task = Task(
        name=record["name"],
        examples=examples,
        metrics=metrics,
        preferred_metric=metrics[0],
        rendering=AS_IT_STANDS,
        chance=blind_grade(examples),
        max_tokens=length,
        source=SOURCE,
        harness=Harness(
            output_type=record["output_type"],
            until=until,
            num_fewshot=record["shots"],
            version=record["version"],
            built=f"{spec}@{'' if shots is None else shots}",
        ),
    )
    asked = hashlib.sha256(json.dumps([doc["requests"] for doc in docs], sort_keys=True).encode()).hexdigest()
    return replace(task, fingerprint=hashlib.sha256(f"{fingerprint(task)} {asked}".encode()).hexdigest())


def _example(doc: Mapping[str, Any]) -> Example:
    requests, gold = doc["requests"], doc["gold"]
    kinds, contexts = {request[0] for request in requests}, {request[1] for request in requests}
    metadata: dict[str, object] = {"doc_hash": doc["hash"]}
    right = [one for one in (gold if isinstance(gold, list) else [gold]) if isinstance(one, int)]
    if kinds == {"loglikelihood"}:
        continuations = tuple(request[2] for request in requests)
        scores = tuple(float(at in right) for at in range(len(requests)))
        scores = (1.0,) if len(requests) == 1 else scores if any(scores) else ()
        if len(contexts) == 1 and len(set(continuations)) == len(continuations) and scores:
            targets = tuple(text for text, score in zip(continuations, scores, strict=True) if score)
            return Example(str(doc["id"]), requests[0][1], targets, continuations, scores, metadata=metadata)
    elif len(requests) == 1 and requests[0][3] == 1 and not settings_of(requests[0][2])[2]:
        texts = tuple(str(one) for one in (gold if isinstance(gold, list) else [gold]) if one is not None)
        return Example(str(doc["id"]), requests[0][1], texts, metadata=metadata)
    return Example(str(doc["id"]), requests[0][1], metadata=metadata | {"requests": requests})


def settings_of(given: Mapping[str, Any]) -> tuple[tuple[str, ...], int, float]:
    """(strings that end a generation, most tokens, temperature) of the harness's settings."""
    until = given.get("until") or []
    texts = [until] if isinstance(until, str) else until
    length = next((given[name] for name in LENGTHS if given.get(name) is not None), DEFAULT_LENGTH)
    temperature = float(given.get("temperature") or 0.0)
    sampled = given.get("do_sample", temperature > 0)
    return tuple(map(str, texts)), int(length), (temperature or 1.0) if sampled and temperature != 0.0 else 0.0
