"""How near the engine comes to the arithmetic that cannot be avoided.

    python benchmarks/floor.py [--model smollm2-135m] [--task REF …] [--examples 64] [--shots 3]

Unavoidable: each distinct token of the requests once through the layers (2 FLOPs a non-embedding parameter, and
attention to what comes before it), each asked position once through the head; at the rate at which this machine
multiplies two large float32 matrices, by ``torch.mm`` and by oneDNN. Printed: the share of the time that this takes,
everything else (tokenisation, elementwise work, Python) being the rest. A share above 100 % says that the engine
multiplies by the faster library, as it does on AMD processors.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import engine_common as common
import versus_lm_eval as versus


def flops(folder: Path, asked: list[dict[str, Any]], heads: int) -> tuple[float, float, float]:
    """FLOPs of layers, attention and head."""
    import numpy as np
    from transformers import AutoConfig, AutoTokenizer

    from scalecurve.engine.text import Encoder
    from scalecurve.engine.trie import build_trie
    from scalecurve.models import open_model, resolve_rung
    from scalecurve.types import Request

    config = AutoConfig.from_pretrained(folder)
    encoder = Encoder(AutoTokenizer.from_pretrained(folder), config.max_position_embeddings)
    rows = encoder.pairs([Request(q["prompt"], options=tuple(q["options"])) for q in asked])
    trie = build_trie([pair.context + pair.continuation[:-1] for row in rows for pair in row])
    model = open_model(resolve_rung(str(folder)), device="cpu")
    weights, _ = model.parameters()
    model.close()
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    seen = float(np.sum(trie.depth + 1))
    attention = 4.0 * seen * config.num_attention_heads * size * config.num_hidden_layers
    return 2.0 * weights * len(trie), attention, 2.0 * heads * config.vocab_size * config.hidden_size


def ours(job: dict[str, Any]) -> dict[str, Any]:
    """What ``versus_lm_eval`` measures, and oneDNN's rate before and after."""
    before = common.onednn_rate()
    return versus.ours(job) | {"onednn": max(before, common.onednn_rate())}


def main() -> None:
    if common.serve({"ours": ours}):
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--task", action="append")
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--shots", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    folder = common.weights(given.model)
    print(f"{given.model}, float32, {given.shots} shots, {given.examples} examples a task, {given.threads} threads")
    print("| task | shots | TFLOP layers | attention | head | taken s | GFLOP/s | share | oneDNN GFLOP/s | share |")
    print("|---" * 10 + "|")
    for policy in ("fixed", "bigbench"):
        for task in given.task or common.TASKS:
            asked = common.questions(task, policy, given.shots, given.examples)
            job = {"folder": str(folder), "questions": asked}
            told = common.worker(sys.executable, Path(__file__), "ours", job, given.threads)
            parts = flops(folder, asked, told["heads"])
            taken, rates = told["seconds"], (max(told["rates"]), told["onednn"])
            shares = [f"{rate / 1e9:.0f} | **{sum(parts) / rate / taken:.0%}**" for rate in rates]
            print(
                f"| {task.removeprefix('bigbench:')} | {policy} | {parts[0] / 1e12:.2f} | {parts[1] / 1e12:.2f} | "
                f"{parts[2] / 1e12:.2f} | {taken:.2f} | {' | '.join(shares)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
