"""Every causal architecture of the installed transformers, as a tiny random model, against its own forward pass.

    python benchmarks/architectures.py out.json [NAME ...] [--slice 1/6]   # measures; results are added to out.json
    python benchmarks/architectures.py out.json --table                    # the table of docs/models.md

The truth is transformers' own float32 forward pass over each whole sequence alone, without cache, mask or padding.
Scoring must agree within 1e-4 nats and greedy texts must be equal. What is no causal model is refused by name.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import time
from pathlib import Path
from typing import Any

from tiny_models import build, names, tokens

NEAR = 1e-4  # nats
# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────
SHOT = "Q: Tom has 3 apples and gets 4 more. How many? A: 7. Q: Where is Lima? A: Peru. "
BASE = "Where was Anna born? Anna was born in Lima. Lima is in Peru. "
PROMPTS = [
    *(BASE + SHOT + f"Q: {question} A:" for question in ("Where was Ben born?", "In which country?", "2 + 2 = ?")),
    "Hello",
    BASE + "Q: who? A:",
    SHOT * 2 + "Q: 2 + 2 = ? A:",
]
OPTIONS = (" Peru", " Lima in Peru", ", a longer answer 12345", " no")
LENGTHS = (12, 8, 12, 16, 16, 6)


def measure(model: Any, encoder: Any, count: int = len(PROMPTS)) -> dict[str, Any]:
    """How far ``model`` in the engine is from its own forward pass over ``count`` prompts, and which way it went."""
    from scalecurve.engine.runner import Runner
    from scalecurve.engine.selftest import is_causal
    from scalecurve.types import Request

    if not is_causal(model):
        return {"way": "refused", "why": "what comes later changes what it says of earlier words"}
    asked = [Request(prompt, options=OPTIONS) for prompt in PROMPTS[:count]]
    asked += [Request(prompt, max_tokens=n) for prompt, n in zip(PROMPTS[:count], LENGTHS, strict=False)]
    scores, texts = truth(model, encoder, count)
    runner = Runner(model, encoder)
    found: dict[int, Any] = {}
    runner.run(asked, found.__setitem__)
    outputs = [found[at] for at in range(len(asked))]
    worst = 0.0
    for output, row in zip(outputs, scores, strict=False):
        if output.error:
            return {"way": "error", "why": output.error}
        worst = max([worst, *(abs(a - b) if a == a else math.inf for a, b in zip(output.logprobs, row, strict=True))])
    wrong = sum(output.texts != (text,) for output, text in zip(outputs[count:], texts, strict=True))
    return {"way": runner.way, "why": runner.fallback, "gap": worst, "texts": wrong, "of": len(texts)}


def truth(model: Any, encoder: Any, count: int) -> tuple[list[list[float]], list[str]]:
    """Option log-probabilities and greedy texts by whole forward passes of one sequence."""
    import torch

    text = str(model.config.get_text_config().to_dict())
    remembers = "longrope" in text or "dynamic" in text

    def logprobs(ids: list[int]) -> Any:
        if remembers:  # the rotations of other lengths are forgotten
            model(input_ids=torch.zeros(1, 1, dtype=torch.long), use_cache=False)
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)

    scores, texts = [], []
    with torch.inference_mode():
        for prompt, most in zip(PROMPTS[:count], LENGTHS, strict=False):
            (context,) = encoder.ids([prompt])
            row = []
            for option in OPTIONS:
                own = encoder.ids([prompt + option])[0][len(context) :]
                table = logprobs([*context, *own][:-1])
                row.append(float(table[range(len(context) - 1, len(table)), own].double().sum()))
            scores.append(row)
            new: list[int] = []
            while len(new) < most and not (new and new[-1] in encoder.ends):
                new.append(int(logprobs([*context, *new])[-1].argmax()))
            texts.append(encoder.tokenizer.decode([one for one in new if one not in encoder.ends]))
    return scores, texts


def one(name: str, encoder: Any) -> dict[str, Any]:
    """What came of an architecture: the way it went and why, the largest difference (nats), texts that differ."""
    began = time.perf_counter()
    try:
        model = build(name, encoder.tokenizer.vocab_size)
        found = measure(model, encoder) | {"class": type(model).__name__}
    except Exception as error:  # whatever an architecture does when it is built small, the others are still measured
        found = {"way": "failed", "why": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"}
    return found | {"seconds": round(time.perf_counter() - began, 1)}


# ── What is printed ──────────────────────────────────────────────────────────────────────────────────────────
def exact(result: dict[str, Any]) -> bool:
    return "gap" in result and result["gap"] <= NEAR and not result["texts"]


def line(name: str, result: dict[str, Any]) -> str:
    if "gap" not in result:
        return f"{name:26} {result['way']}: {result['why']}"
    right = "exact" if exact(result) else "OFF"
    why = f" ({result['why']})" if result["why"] else ""
    return (
        f"{name:26} {right:6} {result['gap']:.1e} nats, {result['texts']} of {result['of']} texts  {result['way']}{why}"
    )


def counts(results: dict[str, dict[str, Any]]) -> str:
    measured = [one for one in results.values() if "gap" in one]
    ways = {way: sum(one["way"] == way for one in measured) for way in sorted({one["way"] for one in measured})}
    other = {way: sum(one["way"] == way for one in results.values()) for way in ("refused", "failed", "error")}
    return f"{sum(map(exact, measured))} exact of {len(measured)}; {ways}; {other}"


SHARED = {"packs": "in packs", "branches": "by copied states", "padded": "no"}


def table(results: dict[str, dict[str, Any]]) -> str:
    """The measured architectures as a Markdown table, and in a sentence those that were not measured."""
    rows = ["| architecture | shares prefixes | why not in packs | largest difference, nats | texts that differ |"]
    rows += ["|---|---|---|---|---|"]
    for name, one in sorted(results.items()):
        if "gap" in one:
            own = f"| `{name}` | {SHARED[one['way']]} | {one['why']} "
            rows.append(f"{own}| {one['gap']:.1e} | {one['texts']} of {one['of']} |")
    refused = [name for name, one in sorted(results.items()) if one["way"] == "refused"]
    failed = [name for name, one in sorted(results.items()) if one["way"] in ("failed", "error")]
    said = f"Refused, as they look ahead: {', '.join(refused)}. Not measured, as no small one could be built"
    return "\n".join([*rows, "", f"{said}: {', '.join(failed)}."])


def write_table(results: dict[str, dict[str, Any]], page: Path) -> None:
    """Put the table between its two marks on a page."""
    before, _, rest = page.read_text().partition("<!-- architectures -->\n")
    _, end, after = rest.partition("<!-- end of architectures -->")
    page.write_text(f"{before}<!-- architectures -->\n{table(results)}\n{end}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--slice", default="1/1", help="the part of the names that is measured, as 2/6")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    results: dict[str, dict[str, Any]] = json.loads(args.out.read_text()) if args.out.exists() else {}
    if not args.table:
        part, parts = map(int, args.slice.split("/"))
        logging.disable(logging.WARNING)
        encoder = tokens()
        for name in args.names or names()[part - 1 :: parts]:
            results[name] = one(name, encoder)
            args.out.write_text(json.dumps(dict(sorted(results.items())), indent=1))
            print(line(name, results[name]), f"[{results[name]['seconds']} s]", flush=True)
    else:
        write_table(results, Path(__file__).parents[1] / "docs" / "models.md")
    print(counts(results))


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    main()
