"""What a gate is worth, from a finished run: the replay tells the truth, thresholds are held out, intervals hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.metrics.answerability import margin
from scalecurve.pipeline import run_study
from scalecurve.report.data import gather
from scalecurve.routing import answerability
from scalecurve.routing.answerability import fitted_thresholds, judge_gate
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.strategies.gating import fit_threshold
from scalecurve.study.study import parse_study
from scalecurve.tasks.twins import KINDS
from scalecurve.types import Answer, Example

MODELS = [
    {"name": f"mock-{size}", "backend": "mock", "location": "mock", "params_non_embedding": size}
    for size in (10**3, 10**4, 10**5, 10**6)
]


def study_of(out: Path, **more: Any) -> RunDirectory:
    values = {"name": "gated", "models": MODELS, "tasks": ["twins:24"], "strategies": ["gate", "direct"]} | more
    run, outcome = run_study(parse_study(values), out)
    assert outcome.complete
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return study_of(tmp_path_factory.mktemp("gate") / "run")


def rows(run: RunDirectory, **where: Any) -> dict[str, dict[str, Any]]:
    found = read_outputs(run).filter(rung="mock-1000", **where).collect()
    return {row["example_id"]: row for row in found.iter_rows(named=True)}


def margin_of(row: dict[str, Any]) -> float:
    return margin(Answer("", "", flags=tuple(row["flags"])))


# ── The run ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_gates_ranking_is_a_curve_with_errors_and_a_verdict(run: RunDirectory) -> None:
    curve = pl.read_parquet(run.curves).filter(strategy="gate", metric="gate_auroc")
    assert curve["n"].to_list() == [48] * 4
    assert curve["failed"].to_list() == [0] * 4
    assert curve["chance"].to_list() == [0.5] * 4
    assert (curve["se"] > 0.02).all()
    assert pl.read_parquet(run.verdicts).filter(strategy="gate", metric="gate_auroc").height == 1
    assert sum(curve["m"] == "gate_auroc" for curve in gather([run.path]).curves) == 1, "and in the report"


def test_what_a_strategy_cannot_give_is_no_missing_curve(run: RunDirectory) -> None:
    curves = pl.read_parquet(run.curves)
    assert not curves.filter(pl.col("y").is_null()).height
    assert "gate_auroc" not in curves.filter(strategy="direct")["metric"]
    assert "garbage_in_rate" not in curves.filter(strategy="gate")["metric"]


def test_the_gate_and_then_a_strategy(run: RunDirectory, tmp_path: Path) -> None:
    """Refused questions cost no further token; the others get what the strategy alone says."""
    verdicts, alone = rows(run, strategy="gate"), rows(run, strategy="direct")
    middle = float(np.median([margin_of(row) for row in verdicts.values()]))
    limits = {"gate_threshold": {model["name"]: middle for model in MODELS}}
    behind = rows(study_of(tmp_path / "run", strategies=["gate+direct"], settings=limits))
    refused = [name for name, row in behind.items() if "abstained" in row["flags"]]
    assert len(refused) == 24
    for name, row in behind.items():
        assert margin_of(row) == margin_of(verdicts[name])
        if name in refused:
            assert margin_of(row) <= middle
            assert (row["text"], row["response"], row["generated_tokens"]) == ("unanswerable", "unanswerable", 0)
            assert row["prompt_tokens"] == verdicts[name]["prompt_tokens"]
        else:
            assert (row["text"], row["response"]) == (alone[name]["text"], alone[name]["response"])
            assert row["prompt_tokens"] == verdicts[name]["prompt_tokens"] + alone[name]["prompt_tokens"]


# ── The report ───────────────────────────────────────────────────────────────────────────────────────────────
def test_measures_agree_with_the_runs_curves(run: RunDirectory) -> None:
    curves = pl.read_parquet(run.curves)
    reports = judge_gate(run, "direct", replicates=50)
    assert [report.rung for report in reports] == [model["name"] for model in MODELS]
    same = {"auroc": ("gate", "gate_auroc"), "twins": ("gate", "twin_accuracy"),
            "garbage": ("direct", "garbage_in_rate"), "selective": ("direct", "selective_accuracy"),
            "right": ("direct", "answerable_accuracy")}  # fmt: skip
    for report in reports:
        assert report.n == 48
        for name, (strategy, metric) in same.items():
            (value,) = curves.filter(rung=report.rung, strategy=strategy, metric=metric)["y"]
            assert report.measures[name].value == pytest.approx(value)
            assert report.measures[name].low <= value <= report.measures[name].high
        assert report.measures["garbage_gated"].value <= report.measures["garbage"].value
        kinds = [report.measures[f"twins {kind}"].value for kind in KINDS]
        assert np.mean(kinds) == pytest.approx(report.measures["twins"].value), "six pairs of each kind"


def test_the_threshold_of_an_item_never_saw_it_or_its_twin(run: RunDirectory) -> None:
    """Moving one pair's margins changes nothing for the other pairs of its half."""
    (_, gated, _, task), *_ = answerability._cells(run, None, "")
    items = answerability._items(gated, None, task)
    half = answerability._halves(items, 0)
    assert all(len(set(half[items.cluster == cluster])) == 1 for cluster in set(items.cluster))
    assert abs(int(half.sum()) - 24) <= 2
    before = answerability._cross_fitted(items, None, 0)
    moved = replace(items, margin=np.where(items.cluster == 5, items.margin - 3, items.margin))
    own = half == half[items.cluster == 5][0]
    after = answerability._cross_fitted(moved, None, 0)
    kept = own & (items.cluster != 5)
    assert (before[kept] == after[kept]).all()
    other = fit_threshold(items.margin[~own].tolist(), items.answerable[~own].tolist())
    assert (before[own] == (items.margin[own] > other.value)).all()


def test_a_perfect_gate_is_perfect_on_held_out_items(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def knowing(run: RunDirectory, record: Any) -> list[tuple[Example, Answer]]:
        found = original(run, record)
        sure = {True: "margin:5.0", False: "margin:-5.0"}
        return [(e, replace(a, flags=("gate:x", sure[e.metadata["answerable"]]))) for e, a in found]

    original = answerability.read_record
    monkeypatch.setattr(answerability, "read_record", knowing)
    for report in judge_gate(run, replicates=20):
        values = {name: (one.value, one.low, one.high) for name, one in report.measures.items()}
        reach = 1.959964**2 / (24 + 1.959964**2)  # Wilson: 24 of 24 are no proof of perfection
        assert values["false_refusal"] == pytest.approx((0.0, 0.0, reach))
        assert values["auroc"] == values["twins"] == values["recall"] == pytest.approx((1.0, 1 - reach, 1.0))
        assert report.threshold.value == 0.0


def test_few_false_refusals_are_kept_to_on_the_fitted_items(run: RunDirectory) -> None:
    for one in fitted_thresholds(run, false_refusal=0.1).values():
        assert one.false_refusal <= 0.1
        assert one.n == 48
    loose, strict = (fitted_thresholds(run, false_refusal=limit)["mock-1000"].value for limit in (0.5, 0.0))
    assert strict <= loose


def test_what_is_missing_is_named(run: RunDirectory) -> None:
    with pytest.raises(UserError, match="asked with strategy gate and with zero_shot_cot and has 4 examples"):
        judge_gate(run, "zero_shot_cot")
    with pytest.raises(UserError, match="no task like 'rebus' was asked with strategy gate"):
        judge_gate(run, task="rebus")
