"""Runs of the version before the folders moved still open: nothing in them is lost or read as another thing."""

import tarfile
from pathlib import Path

import polars as pl
import pytest

from scalecurve import load_run, open_run, read_outputs, rescore, write_report
from scalecurve.analysis.verdicts.reasons import say
from scalecurve.routing.answer_pairs import read_run_pairs
from scalecurve.schema import CURVE_KEY

RUNS = Path(__file__).parent / "fixtures" / "old_run" / "runs.tar.xz"
REVERSAL = {  # as the old version printed them, smallest model first
    "direct": [0.0, 0.075, 0.075, 0.575, 1.0],
    "self_consistency": [0.025, 0.025, 0.025, 0.55, 0.925],
    "gate+direct": [0.0, 0.025, 0.025, 0.05, 0.025],
}
SHAPES = {"direct": "smooth", "self_consistency": "inconclusive", "gate+direct": "flat"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    with tarfile.open(RUNS) as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path


def test_curves_and_verdicts_are_those_of_before(runs: Path) -> None:
    run = load_run(runs / "native")
    for strategy, scores in REVERSAL.items():
        (view,) = run.curves(task="lab:reversal:short", strategy=strategy, metric="exact_str_match")
        assert view.curve.y == pytest.approx(scores)
        assert view.verdict is not None
        assert view.verdict.shape == SHAPES[strategy]
        assert view.verdict.reasons
        assert all(say(reason) and say(reason, "zh") for reason in view.verdict.reasons)  # sentences, as they were


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_shows_them(runs: Path, lang: str) -> None:
    page = write_report([runs / "native", runs / "imported"], runs / "page.html", lang=lang).read_text()
    assert "lab:reversal:short" in page
    assert "tiny_choice" in page


@pytest.mark.parametrize("name", ["native", "imported"])
def test_what_follows_from_outputs_is_rebuilt_without_a_change(runs: Path, name: str) -> None:
    run = open_run(runs / name)
    before = [pl.read_parquet(path) for path in (run.scores, run.curves, run.verdicts)]
    rescore(run.path)
    after = [pl.read_parquet(path) for path in (run.scores, run.curves, run.verdicts)]
    for old, new in zip(before[:2], after[:2], strict=True):
        same = [column for column in old.columns if column in new.columns]
        keys = [*CURVE_KEY, *({"rung", "seed", "example_id"} & set(same))]
        assert new.select(same).sort(keys).equals(old.select(same).sort(keys))
    assert after[2].select(CURVE_KEY).sort(CURVE_KEY).equals(before[2].select(CURVE_KEY).sort(CURVE_KEY))


def test_answers_are_read(runs: Path) -> None:
    run = open_run(runs / "native")
    outputs = read_outputs(run).collect()
    assert len(outputs) == 5 * 2 * 3 * 40  # models, tasks, strategies, examples
    assert outputs.filter(strategy="self_consistency")["samples"].list.len().min() > 1
    pairs = read_run_pairs(run, "m5", slow="self_consistency")
    assert (len(pairs.fast), pairs.fast.mean(), pairs.slow.mean()) == pytest.approx((40, 1.0, 0.925))
