"""How surely a model takes packs: it is opened again and again, each time in a process of its own.

    python benchmarks/openings.py [--model smollm2-135m] [--times 50] [--threads 2]

Prints how many openings fell back, and the largest difference a token (nats) between packs and the model's own forward
pass on another text than the self-check's, beside that between two plain passes of other shapes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import engine_common as common

from scalecurve.doctor.machine import cpu_model


def opening(job: dict[str, Any]) -> dict[str, Any]:
    """One opening: why it fell back, if it did, and how far packs are from the model's own forward pass."""
    import torch

    from scalecurve.engine.selftest import against_own, sample
    from scalecurve.models import open_model, resolve_rung

    opened = open_model(resolve_rung(job["model"]), device="cpu")
    runner = opened.runner  # type: ignore[attr-defined]  # of local models only
    pairs = sample(runner.model.config.get_text_config().vocab_size, 56, 2)  # another text than the check's own
    scores: dict[int, tuple[float, bool]] = {}
    runner.score_ids(pairs, scores.__setitem__)
    if runner.forward:
        runner.forward.__exit__()  # the model attends in its own way again
    worst, noise = against_own(runner.model, pairs)
    gap = worst([scores[at][0] for at in range(len(pairs))])
    return {"fallback": opened.fallback, "gap": gap, "noise": noise, "threads": torch.get_num_threads()}


def main() -> None:
    if common.serve({"opening": opening}, timed=False):
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    found = []
    for number in range(1, given.times + 1):
        one = common.worker(sys.executable, Path(__file__), "opening", {"model": given.model}, given.threads)
        found.append(one)
        why = f"  FELL BACK: {one['fallback']}" if one["fallback"] else ""
        print(f"{number:3}  {one['gap']:.1e} nats a token, plain passes {one['noise']:.1e}{why}", flush=True)
    gap, noise = (max(one[name] for one in found) for name in ("gap", "noise"))
    print(
        f"{given.model} on {cpu_model()}, {found[0]['threads']} threads: "
        f"{sum(bool(one['fallback']) for one in found)} of {len(found)} openings fell back; largest difference "
        f"{gap:.1e} nats a token, between plain passes {noise:.1e}"
    )


if __name__ == "__main__":
    main()
