"""How well ``scalecurve doctor`` foretells the time of models on this machine's processors.

    python benchmarks/doctor.py [--model REF …]

Alternately: the doctor's measurement, and prompts that share nothing but their first words through the engine. Printed:
tokens a second as foretold and as measured, and their ratio. The doctor claims a factor of three.
"""

from __future__ import annotations

import argparse
import random
import time

from scalecurve.doctor.speed import measure
from scalecurve.models import open_model, resolve_rung
from scalecurve.types import Output, Request

WORDS = "the cat sat on a mat while seven green birds sang of old ships and rain in town 1 2 3 + =".split()
MODELS = ("lab:lab-12k", "lab:lab-109k", "lab:lab-332k", "lab:lab-1m", "lab:lab-3m", "smollm2-135m")
ROUNDS = 3


def tokens_per_second(ref: str, rounds: int) -> float:
    """The best of ``rounds``: tokens read in a second, prompts alone counted."""
    rung = resolve_rung(ref)
    model = open_model(rung, device="cpu")
    draw, best = random.Random(0), 0.0
    for _ in range(rounds):
        prompts = (" ".join(draw.choices(WORDS, k=60)) for _ in range(400 if "lab" in ref else 24))
        requests = [Request(prompt, options=("yes", "no")) for prompt in prompts]
        found: list[Output] = []
        began = time.perf_counter()
        model.run(requests, lambda _, output, found=found: found.append(output))
        best = max(best, sum(output.prompt_tokens for output in found) / (time.perf_counter() - began))
    model.close()
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append")
    print("| model | foretold tokens/s | measured | foretold ÷ measured |\n|---|---|---|---|")
    for ref in parser.parse_args().model or MODELS:
        foretold = {pace.model.lower(): pace.tokens_per_second for pace in measure().paces}
        said, was = foretold[ref.rpartition(":")[2]], tokens_per_second(ref, ROUNDS)
        print(f"| {ref} | {said:,.0f} | {was:,.0f} | **{said / was:.2f}** |", flush=True)


if __name__ == "__main__":
    main()
