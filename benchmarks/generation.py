"""Writing texts: the engine against ``transformers.generate`` and the harness's ``generate_until``.

    python benchmarks/generation.py [--model smollm2-135m] [--task REF] [--prompts 128] [--tokens 64] [--batch 32]

The prompts share their shots. Greedy, without stop strings, so that every side writes as many tokens (but for ends of
text). Printed: tokens a second, ratios, and how many texts are the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import engine_common as common


def ours(job: dict[str, Any]) -> dict[str, Any]:
    from scalecurve.models import open_model, resolve_rung
    from scalecurve.types import Request

    model = open_model(resolve_rung(job["folder"]), device="cpu")
    requests = [Request(prompt, max_tokens=job["tokens"]) for prompt in job["prompts"]]
    outputs, took = common.outputs_of(model, requests)
    return took | {
        "texts": [output.texts[0] for output in outputs],
        "written": sum(output.generated_tokens for output in outputs),
    }


def transformers_(job: dict[str, Any]) -> dict[str, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["folder"], padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(job["folder"], dtype=torch.float32).eval()
    texts, written = [], 0
    order = sorted(job["prompts"], key=len, reverse=True)
    with common.taking() as took:
        for at in range(0, len(order), job["batch"]):
            batch = tokenizer(order[at : at + job["batch"]], return_tensors="pt", padding=True)
            with torch.inference_mode():
                out = model.generate(
                    **batch, max_new_tokens=job["tokens"], do_sample=False, pad_token_id=tokenizer.pad_token_id
                )
            new = out[:, batch["input_ids"].shape[1] :]
            texts += tokenizer.batch_decode(new, skip_special_tokens=True)
            written += sum(real_tokens(row, tokenizer.eos_token_id) for row in new.tolist())
    by_prompt = dict(zip(order, texts, strict=True))
    return took | {
        "texts": [by_prompt[prompt] for prompt in job["prompts"]],
        "written": written,
    }


def real_tokens(row: list[int], end: int) -> int:
    """Tokens up to the end of text, it included."""
    return row.index(end) + 1 if end in row else len(row)


def harness(job: dict[str, Any]) -> dict[str, Any]:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=job["folder"], dtype="float32", device="cpu", batch_size=job["batch"])
    how = {"until": [], "max_gen_toks": job["tokens"], "do_sample": False}
    requests = [Instance("generate_until", {}, (prompt, how), at) for at, prompt in enumerate(job["prompts"])]
    with common.taking() as took:
        texts = model.generate_until(requests, disable_tqdm=True)
    return took | {"texts": texts}


def main() -> None:
    if common.serve({"ours": ours, "transformers": transformers_, "harness": harness}):
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--task", default="bigbench:date_understanding")
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--venv", type=Path, default=Path("/tmp/lmeval-venv"))
    given = parser.parse_args()
    python, folder = common.harness_python(given.venv), common.weights(given.model)
    asked = common.questions(given.task, "fixed", 3, given.prompts)
    # Without the space after the prefix, so that every side is given the same tokens.
    prompts = [q["prompt"].rstrip() for q in asked]
    job = {"folder": str(folder), "prompts": prompts, "tokens": given.tokens, "batch": given.batch}
    print(f"{given.model}, float32, {len(prompts)} prompts, {given.tokens} tokens, {given.threads} threads")
    sides = {"ours": sys.executable, "transformers": sys.executable, "harness": python}
    told = {side: common.worker(each, Path(__file__), side, job, given.threads) for side, each in sides.items()}
    mine = told["ours"]
    written = max(told[side]["written"] for side in ("ours", "transformers"))
    print("| side | batch | s | tokens/s | ours is faster by | peak MB above the weights | same text as ours |")
    print("|---|---|---|---|---|---|---|")
    for side, each in told.items():
        same = sum(a == b for a, b in zip(each["texts"], mine["texts"], strict=True))
        print(
            f"| {side} | {'—' if side == 'ours' else given.batch} | {each['seconds']:.2f} | "
            f"{each.get('written', written) / each['seconds']:.0f} | {each['seconds'] / mine['seconds']:.1f}× | "
            f"{each['peak'] / 1e6:.0f} | {same} of {len(prompts)} |"
        )


if __name__ == "__main__":
    main()
