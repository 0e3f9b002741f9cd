"""The engine against lm-evaluation-harness: the same model, requests and precision; time, memory and agreement.

    python benchmarks/versus_lm_eval.py [--model smollm2-135m] [--task REF …] [--examples 64] [--shots 3]
        [--policy fixed --policy bigbench] [--harness-batch 8] [--venv /tmp/lmeval-venv] [--golden FILE]
    python benchmarks/versus_lm_eval.py --models hybrid --task REF --policy fixed --examples 24    # or: padded

Runs both in alternation, each measurement in its own process, and prints for each task the ratio of the tokens both
forward (the harness's with their padding), of wall times and of processor times, the peak memory above the weights,
the largest difference in log-probability and how many argmaxes differ. On a busy machine only the ratio by processor
is to be trusted. Needs BIG-bench (`scalecurve tasks install bigbench`) for the default tasks. The harness goes into an
environment of its own where it is not installed.
``--golden`` writes the harness's log-probabilities to a file, for tests.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_common as common
import random_models

SMALL = "smollm2-135m"


def ours(job: dict[str, Any]) -> dict[str, Any]:
    """Score with scalecurve; tokenisation is part of the time on both sides."""
    from scalecurve.models import open_model, resolve_rung
    from scalecurve.types import Request

    rung = resolve_rung(job["folder"])
    model = open_model(replace(rung, options={"engine": "plain"} if job["plain"] else {}), device="cpu")
    requests = [Request(q["prompt"], options=tuple(q["options"])) for q in job["questions"]]
    outputs, took = common.outputs_of(model, requests)
    return took | {
        "logprobs": [list(output.logprobs) for output in outputs],
        "greedy": [list(output.greedy) for output in outputs],
        "tokens": [list(output.token_counts) for output in outputs],
        "forwarded": model.forwarded_tokens,
        "heads": model.head_positions,
        "fallback": model.fallback,
        "way": model.runner.way,  # type: ignore[attr-defined]  # of local models only
    }


def harness(job: dict[str, Any]) -> dict[str, Any]:
    """Score with ``HFLM.loglikelihood``."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=job["folder"], dtype="float32", device="cpu", batch_size=job["batch"])
    pairs = [(q["prompt"], option) for q in job["questions"] for option in q["options"]]
    requests = [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]
    own, forwarded = model._model_call, 0

    def counted(inps: Any, *given: Any, **how: Any) -> Any:
        nonlocal forwarded
        forwarded += inps.numel()
        return own(inps, *given, **how)

    model._model_call = counted
    with common.taking() as took:
        scored = iter(model.loglikelihood(requests, disable_tqdm=True))
    rows = [[next(scored) for _ in q["options"]] for q in job["questions"]]
    return took | {
        "forwarded": forwarded,
        "logprobs": [[float(logprob) for logprob, _ in row] for row in rows],
        "greedy": [[bool(greedy) for _, greedy in row] for row in rows],
    }


def agreement(a: dict[str, Any], b: dict[str, Any]) -> tuple[float, int, int]:
    """(largest difference, questions whose best option differs, options whose greediness differs)."""
    gap = max(abs(x - y) for p, q in zip(a["logprobs"], b["logprobs"], strict=True) for x, y in zip(p, q, strict=True))
    best = sum(p.index(max(p)) != q.index(max(q)) for p, q in zip(a["logprobs"], b["logprobs"], strict=True))
    greedy = sum(x != y for p, q in zip(a["greedy"], b["greedy"], strict=True) for x, y in zip(p, q, strict=True))
    return gap, best, greedy


def main() -> None:
    if common.serve({"ours": ours, "harness": harness}):
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="default: smollm2-135m; random:ARCHITECTURE is one of our own")
    parser.add_argument("--models", choices=["hybrid", "padded"], help="small models of random weights")
    parser.add_argument("--task", action="append")
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--shots", type=int, default=3)
    parser.add_argument("--policy", action="append", choices=["fixed", "bigbench"])
    parser.add_argument("--harness-batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tries", type=int, default=3, help="times a disturbed pair is measured")
    parser.add_argument("--here", action="store_true", help="both sides in this process: memory is then not comparable")
    parser.add_argument("--venv", type=Path, default=Path("/tmp/lmeval-venv"))
    parser.add_argument("--golden", type=Path)
    given = parser.parse_args()
    import torch

    from scalecurve.doctor.machine import cpu_model  # the harness's environment has no scalecurve

    python, golden = common.harness_python(given.venv), []
    print(
        f"{cpu_model()}, float32, {given.shots} shots, {given.examples} examples a task, {given.threads} threads\n\n"
        "| model | shares | task | shots | options (tokens) | tokens: harness ÷ ours | harness s | ours s | faster | "
        "by processor | harness MB | ours MB | largest difference (nats) | argmax ≠ | greedy ≠ |\n" + "|---" * 15 + "|"
    )
    for ref, plain in asked_models(given.model, given.models):
        folder = common.weights(ref)
        for policy in given.policy or ["fixed", "bigbench"]:
            for task in given.task or common.TASKS:
                asked = common.questions(task, policy, given.shots, given.examples)
                job = {"folder": str(folder), "questions": asked, "batch": given.harness_batch, "plain": plain}
                if given.here:
                    torch.set_num_threads(given.threads)
                    a, b = {**ours(job), "disturbed": False}, harness(job)
                else:
                    a, b = common.pair(
                        (sys.executable, "ours"), (python, "harness"), Path(__file__), job, given.threads, given.tries
                    )
                print(f"| {ref} | {a['way']} | {task} | {policy} {row(asked, a, b)}", flush=True)
                golden.append(
                    {"task": task, "policy": policy, "questions": asked, **{k: b[k] for k in ("logprobs", "greedy")}}
                )
    if given.golden:
        given.golden.write_text(
            json.dumps({"harness": common.HARNESS, "model": (given.model or [SMALL])[0], "cells": golden}, indent=1)
        )


def asked_models(refs: list[str] | None, kind: str | None) -> list[tuple[str, bool]]:
    """(reference, whether it is held to padded batches)."""
    if kind == "hybrid":
        return [(common.RANDOM + name, False) for name in random_models.HYBRIDS]
    if kind == "padded":
        own = [(common.RANDOM + name, False) for name in random_models.PADDED]
        return own + [(common.RANDOM + name, True) for name in random_models.AS_PADDED]
    return [(ref, False) for ref in refs or [SMALL]]


def row(asked: list[dict[str, Any]], a: dict[str, Any], b: dict[str, Any]) -> str:
    """The cells of a row: what was asked, ours ``a`` and the harness ``b``."""
    gap, best, greedy = agreement(a, b)
    tokens = [count for counts in a["tokens"] for count in counts]
    lengths = json.dumps(sorted(set(tokens))) if max(tokens) <= 3 else f"{min(tokens)}–{max(tokens)}"
    return (
        f"| {len(tokens) / len(asked):.1f} ({lengths}) | {b['forwarded'] / a['forwarded']:.1f} | "
        f"{b['seconds']:.2f} | {a['seconds']:.2f} | "
        f"**{b['seconds'] / a['seconds']:.1f}×**{' (disturbed)' if a['disturbed'] else ''} | "
        f"{b['work'] / a['work']:.1f}× | {b['peak'] / 1e6:.0f} | {a['peak'] / 1e6:.0f} | "
        f"{gap:.1e} | {best} | {greedy} |"
    )


if __name__ == "__main__":
    main()
