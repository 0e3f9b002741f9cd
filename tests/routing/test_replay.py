"""Controllers on stored answers: the published numbers, exact measures, and the promise on a held-out half."""

import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from scalecurve.errors import UserError
from scalecurve.routing import (
    Pairs,
    auroc,
    baselines,
    budgeted,
    calibrated,
    calibration_error,
    flip_matrix,
    front,
    learned,
    replay,
    risk_coverage,
    threshold,
    thrifty,
)
from scalecurve.routing.answer_pairs import pairs_of
from scalecurve.routing.replay import equal_work
from scalecurve.types import Answer

_spec = importlib.util.spec_from_file_location(
    "thinking_replay", Path(__file__).resolve().parents[2] / "benchmarks" / "thinking_replay.py"
)
thinking_replay = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = thinking_replay
_spec.loader.exec_module(thinking_replay)
read_bbh_outputs = thinking_replay.read_bbh_outputs


@pytest.fixture(scope="module")
def bbh(shared: Path) -> Pairs:
    return read_bbh_outputs(shared / "data" / "bbh" / "codex-outputs")


def invented(n: int, seed: int, *, slow_accuracy: float = 0.7, signal: bool = True, families: str = "ab") -> Pairs:
    """Items of two families whose fast answers are right as often as their confidence says, or are not."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(n)
    fast = rng.random(n) < (confidence if signal else 0.5)
    slow = rng.random(n) < slow_accuracy
    family = np.array(list(families))[rng.integers(2, size=n)]
    tokens = rng.integers(10, 60, n)
    return pairs_of(
        [str(at) for at in range(n)],
        list(family),
        ["one two three"] * n,
        [answer(at, fast[at], "fast", 2, confidence[at]) for at in range(n)],
        [answer(at, slow[at], "slow", int(tokens[at]), 0.5) for at in range(n)],
        list(zip(fast.astype(float), slow.astype(float), strict=True)),
    )


def answer(at: int, right: bool, who: str, tokens: int, confidence: float) -> Answer:
    """Right answers to a question say the same, wrong ones differ."""
    logprob = float(np.log(max(confidence, 1e-12)))
    said = f"{at}" if right else f"{at} {who}"
    return Answer("", "", response=said, text_logprob=logprob, generated_tokens=tokens, prompt_tokens=20)


def test_stored_accuracies_of_every_bbh_task(bbh: Pairs, shared: Path) -> None:
    assert len(bbh) == 3437
    assert len(np.unique(bbh.family)) == 14
    for name in np.unique(bbh.family):
        own = bbh.take(bbh.family == name)
        for kind, right in (("direct", own.fast), ("cot", own.slow)):
            file = f"codex-outputs/{kind}/{name}_few_shot_template_0-255000_eval_metrics.jsonl"
            stored = json.loads((shared / "data" / "bbh" / file).read_text())["accuracy"]
            assert 100 * right.mean() == pytest.approx(stored, abs=0.006), (name, kind)


def test_mean_accuracies_of_bbh(bbh: Pairs) -> None:
    tasks = [bbh.take(bbh.family == name) for name in np.unique(bbh.family)]
    assert 100 * np.mean([task.fast.mean() for task in tasks]) == pytest.approx(51.57, abs=0.005)
    assert 100 * np.mean([task.slow.mean() for task in tasks]) == pytest.approx(68.12, abs=0.005)
    assert sum(task.slow.mean() < task.fast.mean() for task in tasks) == 2


def test_flip_matrix_of_the_replay_table() -> None:
    fast = np.repeat([1.0, 0, 1, 0], [224, 51, 61, 59])
    slow = np.repeat([1.0, 1, 0, 0], [224, 51, 61, 59])
    found = flip_matrix(fast, slow)
    numbers = [found.both_right, found.fixed, found.broken, found.fast, found.slow, found.either]
    assert [100 * x for x in numbers] == pytest.approx([56.7, 12.9, 15.5, 72.2, 69.6, 85.1], abs=0.06)


def test_golden_measures() -> None:
    assert auroc(np.array([2.0, 1, 0, 1, -1]), np.array([1.0, 1, 1, 0, 0])) == 0.75
    coverage, accuracy, area = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 1, 0, 1]))
    assert area == pytest.approx(0.145833, abs=1e-6)
    assert list(coverage) == [0.25, 0.5, 0.75, 1]
    assert accuracy[-1] == 0.75
    assert calibration_error(np.array([0.95, 0.95, 0.15, 1.0]), np.array([1.0, 0, 0, 1])) == pytest.approx(1.05 / 4)
    assert np.isnan(auroc(np.array([1.0]), np.array([1.0])))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=30), st.randoms())
def test_measures_do_not_depend_on_the_order(rows: list[tuple[int, bool]], random) -> None:
    def measured(rows: list[tuple[int, bool]]) -> list[float]:
        confidence, right = np.array([row[0] / 4 for row in rows]), np.array([float(row[1]) for row in rows])
        return [auroc(confidence, right), calibration_error(confidence, right), risk_coverage(confidence, right)[2]]

    before = measured(rows)
    random.shuffle(rows)
    assert measured(rows) == pytest.approx(before, nan_ok=True)


def test_a_calibrated_controller_beats_both_and_random() -> None:
    development, held_out = invented(2000, 1), invented(2000, 2)
    for controller in (calibrated(development), learned(development)):
        found = replay(controller, held_out)
        fast, slow, random, _, oracle, least = baselines(held_out, development, found.deferred)
        assert found.over_best.low > 0
        assert found.accuracy.value > random.accuracy.value + 0.05
        assert found.accuracy.value <= oracle.accuracy.value == flip_matrix(held_out.fast, held_out.slow).either
        assert (fast.tokens.value, slow.tokens.value) == (2.0, held_out.slow_cost.mean())
        assert fast.work.value == 22.0
        assert least.accuracy.value == slow.accuracy.value
        assert fast.tokens.value < least.tokens.value < min(oracle.tokens.value, found.tokens.value)


@pytest.mark.parametrize("slow_accuracy", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("signal", [True, False])
def test_never_significantly_below_the_better_one(slow_accuracy: float, signal: bool) -> None:
    for seed in range(5):
        items = invented(2000, seed, slow_accuracy=slow_accuracy, signal=signal)
        development, held_out = items.halves(seed)
        for controller in (calibrated(development), learned(development)):
            assert replay(controller, held_out, replicates=500).over_best.high >= 0


def test_of_two_equal_ways_a_useless_signal_loses_no_more_often_than_by_chance() -> None:
    # Where fast and slow are equally good, the better one of a sample is better by luck, and any way of answering is
    # "significantly" below it now and then: at most 2.5 % of the times below each of the two.
    below = {"calibrated": 0, "learned": 0}
    for seed in range(60):
        items = invented(2000, seed, slow_accuracy=0.5, signal=False)
        development, held_out = items.halves(seed)
        for controller in (calibrated(development), learned(development)):
            below[controller.name] += replay(controller, held_out, replicates=300).over_best.high < 0
    for count in below.values():
        assert binomtest(count, 60, 0.05, "greater").pvalue > 0.01, below


@pytest.mark.slow
def test_at_equal_accuracy_at_most_sixty_percent_of_the_tokens_on_bbh(bbh: Pairs) -> None:
    found = []
    for seed in range(3):
        development, held_out = bbh.halves(seed)
        found.append(replay(thrifty(development), held_out, replicates=200))
    assert np.mean([one.share.value for one in found]) <= 0.6
    assert np.mean([one.over_slow.value for one in found]) >= -0.005
    assert all(one.over_slow.high >= 0 for one in found)


def test_never_significantly_below_the_better_one_on_bbh(bbh: Pairs) -> None:
    for seed in range(2):
        development, held_out = bbh.halves(seed)
        assert len(development) + len(held_out) == len(bbh)
        for controller in (calibrated(development), learned(development), thrifty(development)):
            assert replay(controller, held_out, replicates=500).over_best.high >= 0


def test_a_budget_is_kept() -> None:
    development, held_out = invented(2000, 3), invented(2000, 4)
    free = calibrated(development)
    for tokens in (2.0, 6.0, 12.0, 1000.0):
        bound = budgeted(free, development, tokens)
        assert replay(bound, development).tokens.value <= tokens
        assert replay(bound, held_out).tokens.value <= min(tokens * 1.15, replay(free, held_out).tokens.value)
    assert replay(budgeted(free, development, 1000.0), held_out).accuracy == replay(free, held_out).accuracy


def test_thresholds_and_the_front() -> None:
    items = invented(500, 5)
    outcomes = [replay(threshold(least), items, replicates=50) for least in (0.0, 0.3, 0.6, 1.0)]
    assert (outcomes[0].deferred, outcomes[-1].deferred) == (0.0, 1.0)
    kept = front(outcomes)
    assert all(a.tokens.value < b.tokens.value and a.accuracy.value < b.accuracy.value for a, b in pairwise(kept))
    assert all(
        any(k.tokens.value <= o.tokens.value and k.accuracy.value >= o.accuracy.value for k in kept) for o in outcomes
    )
    with pytest.raises(UserError, match="0 to 1"):
        threshold(1.5)


def test_an_unseen_family_takes_the_values_over_all() -> None:
    development = invented(400, 6, slow_accuracy=0.95)
    strange = invented(50, 7, families="xy")
    for controller in (calibrated(development), learned(development)):
        doubtful = strange.signals.confidence < 0.4
        assert controller.defer(strange.signals)[doubtful].all()


def test_the_thrifty_one_keeps_the_accuracy_of_always_slow_for_fewer_tokens() -> None:
    shares, differences = [], []
    for seed in range(6):
        development, held_out = invented(2000, seed).halves(seed)
        found = replay(thrifty(development), held_out, replicates=100)
        shares.append(found.share.value)
        differences.append(found.over_slow.value)
        assert found.over_slow.high >= 0
    assert np.mean(shares) < 0.6
    assert abs(np.mean(differences)) < 0.02


def test_where_they_differ_evidence_decides_and_slow_never_wins_by_default() -> None:
    # Slow answers that are mostly wrong: thinking is useless, and where it happens the fast answer is kept.
    development, held_out = invented(1500, 8, slow_accuracy=0.2, signal=False).halves()
    for controller in (calibrated(development), learned(development)):
        take, sure = controller.policy.settle(held_out.signals, held_out.after)
        differs = ~held_out.after.agree
        assert take[~differs].all()
        assert take[differs].mean() < 0.1
        assert np.abs(sure.mean() - np.where(take, held_out.slow, held_out.fast).mean()) < 0.05


def test_a_larger_rung_at_equal_work() -> None:
    items = invented(400, 9)
    way = equal_work("large", items, items, work=40.0)
    assert way.work.mean() == pytest.approx(40.0)
    assert way.right.mean() == pytest.approx(
        items.fast.mean() + way.deferred[0] * (items.slow.mean() - items.fast.mean())
    )
    assert equal_work("large", items, items, work=1e9).deferred.mean() == 1.0


def test_errors_name_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give the folder code-davinci-002-outputs"):
        read_bbh_outputs(tmp_path)
