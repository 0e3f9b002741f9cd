"""Controllers on stored outputs: fitted on one half of the items, replayed on the other.

python benchmarks/thinking_replay.py ../shared/data/bbh/codex-outputs        BIG-Bench Hard, one split, with intervals
python benchmarks/thinking_replay.py ../shared/data/bbh/codex-outputs 20     twenty random splits: means, and how often
python benchmarks/thinking_replay.py runs/two_systems 10                     every rung of a run
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from scalecurve.errors import UserError
from scalecurve.routing import (
    Pairs,
    ReplayOutcome,
    auroc,
    baselines,
    budgeted,
    calibrated,
    calibration_error,
    flip_matrix,
    front,
    learned,
    read_run_pairs,
    replay,
    thrifty,
)
from scalecurve.routing.answer_pairs import pairs_of, run_frame
from scalecurve.store import open_run
from scalecurve.strategies.extraction import bbh_answer
from scalecurve.types import Answer

_SUFFIX = "_few_shot_template_0-255000.json"


def ways(pairs: Pairs, seed: int, replicates: int) -> tuple[list[ReplayOutcome], dict[str, float]]:
    """Every way of answering on the held-out half of split ``seed``, and how good the learned signals are."""
    development, held_out = pairs.halves(seed)
    whole, saving = learned(development), thrifty(development)
    slow = float(development.slow_cost.mean())
    controllers = [saving, whole, calibrated(development)]
    for part in (0.2, 0.4, 0.6):
        controllers.append(replace(budgeted(whole, development, slow * part), label=f"learned, at most {part:.0%}"))
    found = [replay(one, held_out, seed=seed, replicates=replicates) for one in controllers]
    found += baselines(held_out, development, found[0].deferred, seed=seed, replicates=replicates)
    fixes = (held_out.slow > held_out.fast).astype(float)
    return found, {
        'AUROC of "slow fixes"': auroc(whole.gain(held_out.signals), fixes),
        "ECE of P(fast right)": calibration_error(whole.policy.right(held_out.signals), held_out.fast),
    }


def one_split(pairs: Pairs) -> None:
    """A table with intervals."""
    flips = flip_matrix(pairs.fast, pairs.slow)
    print(f"{flips.n} items: fast {flips.fast:.3f}, slow {flips.slow:.3f}, either {flips.either:.3f}; "
          f"fixed {flips.fixed:.3f}, broken {flips.broken:.3f}; agree {pairs.after.agree.mean():.3f}")  # fmt: skip
    found, signals = ways(pairs, 0, 2000)
    print(", ".join(f"{name} {value:.3f}" for name, value in signals.items()))
    best = front([one for one in found if one.name not in ("oracle", "least")])
    print("| way | accuracy (95 %) | words | of slow | deferred | over always slow (95 %) | on the front |")
    print("|---|---|---|---|---|---|---|")
    for one in sorted(found, key=lambda one: one.tokens.value):
        print(
            f"| {one.name} | {one.accuracy.value:.3f} ({one.accuracy.low:.3f} to {one.accuracy.high:.3f}) | "
            f"{one.tokens.value:.1f} | {one.share.value:.2f} | {one.deferred:.2f} | "
            f"{one.over_slow.value:+.3f} ({one.over_slow.low:+.3f} to {one.over_slow.high:+.3f}) | "
            f"{'yes' if one in best else ''} |"
        )


def many_splits(pairs: Pairs, count: int) -> None:
    """Means over splits, their spread, and in how many a way was significantly below the better of fast and slow."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(count):
        for one in ways(pairs, seed, 1000)[0]:
            name = "random, as often" if one.name.startswith("random") else one.name
            below = float(one.over_best.high < 0)
            rows.setdefault(name, []).append((one.accuracy.value, one.share.value, one.over_slow.value, below))
    print("| way | accuracy | of the words of always slow (spread) | over always slow (spread) | significantly below |")
    print("|---|---|---|---|---|")
    for name, values in sorted(rows.items(), key=lambda item: np.mean([row[1] for row in item[1]])):
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
        print(f"| {name} | {mean[0]:.3f} | {mean[1]:.2f} ({spread[1]:.2f}) | {mean[2]:+.4f} ({spread[2]:.4f}) | "
              f"{int(sum(row[3] for row in values))} of {count} |")  # fmt: skip


def _outputs(folder: Path, kind: str) -> Path:
    """The folder of one way of asking, as the checkout of BIG-Bench Hard calls it, or by its last word alone."""
    published = folder / f"code-davinci-002-{kind}"
    return published if published.is_dir() else folder / kind


def read_bbh_outputs(folder: Path) -> Pairs:
    """The stored direct and chain-of-thought outputs of BIG-Bench Hard (``folder`` holds ``direct`` and
    ``cot``, or ``code-davinci-002-direct`` and ``…-cot``).

    These outputs have neither tokens nor log-probabilities: tokens are words, confidence is NaN. A chain without "so
    the answer is" has no answer and is wrong.
    """
    direct, cot = (_outputs(folder, kind) for kind in ("direct", "cot"))
    files = sorted(direct.glob(f"*{_SUFFIX}"))
    if not files:
        raise UserError(f"{folder}: no outputs direct/*{_SUFFIX}; give the folder code-davinci-002-outputs")
    families: list[str] = []
    questions: list[str] = []
    fast: list[Answer] = []
    slow: list[Answer] = []
    right: list[tuple[float, float]] = []
    for file in files:
        quick, chain = _records(file), _records(cot / file.name)
        if [one["target"] for one in quick] != [one["target"] for one in chain]:
            raise UserError(f"{file}: its targets differ from those of cot/{file.name}; take both from one release")
        for one, two in zip(quick, chain, strict=True):
            first, second = _stored(one, chain=False), _stored(two, chain=True)
            target = bbh_answer(one["target"], chain=False)
            families.append(file.name.removesuffix(_SUFFIX))
            questions.append(one["input"].rpartition("\n\nQ: ")[2])
            right.append((float(first.response == target), float(second.response == target)))
            fast.append(first)
            slow.append(second)
    items = [f"{family}|{at}" for at, family in enumerate(families)]
    return pairs_of(items, families, questions, fast, slow, right)


def _stored(record: Mapping[str, str], *, chain: bool) -> Answer:
    text = record["prediction"]
    found = not chain or "so the answer is" in text.lower()
    words, read = len(text.split()), len(record["input"].split())
    return Answer("", "", response=bbh_answer(text, chain=chain) if found else None, generated_tokens=words,
                  prompt_tokens=read)  # fmt: skip


def _records(file: Path) -> list[dict[str, str]]:
    try:
        found: list[dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))["outputs"]
        for one in found:
            if not all(isinstance(one[name], str) for name in ("input", "target", "prediction")):
                raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{file}: is no file of outputs ({type(error).__name__}); restore it") from None
    return found


def stored(place: Path) -> dict[str, Pairs]:
    """The rungs of a run with both arms, or the outputs of BIG-Bench Hard."""
    if not (place / "manifest.json").exists():
        return {"code-davinci-002": read_bbh_outputs(place)}
    run = open_run(place)
    frame = run_frame(run)
    return {rung: read_run_pairs(run, rung, frame=frame) for rung in frame["rung"].unique(maintain_order=True)}


if __name__ == "__main__":
    for rung, pairs in stored(Path(sys.argv[1])).items():
        print(f"\n{rung}")
        many_splits(pairs, int(sys.argv[2])) if len(sys.argv) > 2 else one_split(pairs)
