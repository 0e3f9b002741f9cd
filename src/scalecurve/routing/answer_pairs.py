"""Fast and slow answers to the same questions, read from where they were stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.errors import UserError
from scalecurve.routing.features import FastFeatures, SlowFeatures, Texts, fast_features_of, slow_features_of
from scalecurve.store import RunDirectory, read_outputs, read_table
from scalecurve.types import Answer

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
KEY = ("family", "task", "shots", "seed", "example_id")
QUESTION = ("family", "task", "shots", "example_id")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Fast and slow answers to the same items.

    ``item`` names each. ``signals`` is what the fast answers show, ``after`` what the slow ones add. ``fast`` and
    ``slow`` are 1 where that answer is right, else 0. ``slow_cost`` is what a slow answer costs, in tokens of the rung
    that answers fast; ``fast_work`` and ``slow_work`` are tokens read and written for either, in the same unit.
    """

    item: Texts
    signals: FastFeatures
    after: SlowFeatures
    fast: Floats
    slow: Floats
    slow_cost: Floats
    fast_work: Floats
    slow_work: Floats

    def __len__(self) -> int:
        return len(self.fast)

    @property
    def family(self) -> NDArray[np.str_]:
        return self.signals.family

    @property
    def fast_cost(self) -> Floats:
        return self.signals.tokens

    def take(self, chosen: NDArray[Any]) -> Pairs:
        """The items at ``chosen`` (indices or a mask)."""
        return Pairs(
            self.item[chosen],
            self.signals.take(chosen),
            self.after.take(chosen),
            *(getattr(self, field.name)[chosen] for field in fields(self)[3:]),
        )

    def halves(self, seed: int = 0) -> tuple[Pairs, Pairs]:
        """A development and a held-out half: within every family, items are dealt alternately in random order."""
        order = np.random.default_rng(seed).permutation(len(self))
        order = order[np.argsort(self.family[order], kind="stable")]
        return self.take(np.sort(order[::2])), self.take(np.sort(order[1::2]))


def pairs_of(
    items: Sequence[str],
    families: Sequence[str],
    questions: Sequence[str],
    fast: Sequence[Answer],
    slow: Sequence[Answer],
    right: Sequence[tuple[float, float]],
    ratio: float = 1.0,
) -> Pairs:
    """Pairs of answers. ``right``: (fast, slow) 1 or 0; ``ratio``: parameters of the slow rung over the fast one's."""
    signals = fast_features_of(fast, families, questions)
    after = slow_features_of(slow, fast)
    correct = np.asarray(right, float).reshape(-1, 2)
    return Pairs(
        np.asarray(items, np.str_),
        signals,
        after,
        correct[:, 0],
        correct[:, 1],
        after.tokens * ratio,
        np.asarray([one.prompt_tokens + one.generated_tokens for one in fast], float),
        np.asarray([one.prompt_tokens + one.generated_tokens for one in slow], float) * ratio,
    )


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────
def read_run_pairs(
    run: RunDirectory,
    rung: str,
    fast: str = "direct",
    slow: str = "chain_of_thought",
    metric: str | None = None,
    *,
    slow_rung: str | None = None,
    frame: pl.DataFrame | None = None,
) -> Pairs:
    """Items of ``run`` that ``rung`` answered under both strategies, by ``metric``.

    Without ``metric``: each task's preferred one, or the first it was scored by where that is not among them.

    With ``slow_rung`` the second answer is that rung's, and its cost is its tokens times the ratio of the non-embedding
    parameters. Items are paired within (family, task, shots, seed); where shots differ between the arms there is no
    pair. Of several seeds a question has one pair, the first: the others would be the same item in both halves.
    ``frame`` is ``run_frame(run, metric)`` where it was read already. ``UserError`` where nothing can be paired,
    or the metric is not 0 or 1.
    """
    frame = run_frame(run, metric) if frame is None else frame
    first, second = (rung, fast), (slow_rung or rung, slow)
    both = arm(frame, *first).join(arm(frame, *second), on=KEY, suffix="_slow").sort(KEY)
    both = both.unique(QUESTION, keep="first", maintain_order=True)
    if both.is_empty():
        apart = "" if slow_rung in (None, rung) else f" and {slow_rung} under {slow}"
        said = f"under {fast}{apart}" if apart else f"under both {fast} and {slow}"
        raise UserError(f"{run.path}: rung {rung!r} has no item scored {said} with equal shots")
    rows = both.to_dicts()
    if any(row[name] not in (0.0, 1.0) for row in rows for name in ("value", "value_slow")):
        raise UserError(f"{run.path}: {metric or 'the preferred metric'} is not 0 or 1 an item; name one that is")
    return pairs_of(
        ["|".join(str(row[name]) for name in KEY) for row in rows],
        [row["task"] for row in rows],
        [row["input"] for row in rows],
        [_answer(row, "") for row in rows],
        [_answer(row, "_slow") for row in rows],
        [(row["value"], row["value_slow"]) for row in rows],
        1.0 if slow_rung in (None, rung) else parameters(run)[str(slow_rung)] / parameters(run)[rung],
    )


def run_frame(run: RunDirectory, metric: str | None = None) -> pl.DataFrame:
    """Every scored answer of a run, one row an item, rung and strategy, with what controllers look at."""
    import polars as pl

    scores = read_table(run.scores)
    if metric is None:
        scored = [(task["ref"], task["preferred_metric"], task["metrics"]) for task in run.read_manifest()["tasks"]]
        rows = [(ref, preferred if preferred in metrics else metrics[0]) for ref, preferred, metrics in scored]
        wanted = pl.DataFrame(rows, schema={"task": pl.String, "metric": pl.String}, orient="row")
        scores = scores.join(wanted, on=["task", "metric"], how="semi")
    else:
        scores = scores.filter(pl.col("metric") == metric)
    columns = ["input", "options", "option_logprobs", "text_logprob", "response", "flags"]
    outputs = read_outputs(run).select(*KEY, "rung", "strategy", *columns, "prompt_tokens", "generated_tokens")
    return scores.drop_nulls("value").join(outputs.collect(), on=[*KEY, "rung", "strategy"])


def arm(frame: pl.DataFrame, rung: str, strategy: str) -> pl.DataFrame:
    """The rows of one rung under one strategy."""
    return frame.filter(rung=rung, strategy=strategy)


def parameters(run: RunDirectory) -> dict[str, float]:
    """Non-embedding parameters of the run's rungs; ``UserError`` for a run that lacks them."""

    found = read_table(run.curves).select("rung", "params_non_embedding").unique()
    if found["params_non_embedding"].null_count():
        raise UserError(f"{run.path}: some rungs have no params_non_embedding; what they cost cannot be compared")
    return dict(found.iter_rows())


def _answer(row: Mapping[str, Any], end: str) -> Answer:
    return Answer(
        row["example_id"],
        "",
        options=tuple(row[f"options{end}"] or ()),
        option_logprobs=tuple(row[f"option_logprobs{end}"] or ()),
        response=row[f"response{end}"],
        text_logprob=row[f"text_logprob{end}"],
        prompt_tokens=row[f"prompt_tokens{end}"],
        generated_tokens=row[f"generated_tokens{end}"],
        flags=tuple(row[f"flags{end}"] or ()),
    )
