"""Controllers: signals read from answers, files that decide as what was saved, and files that are none."""

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.routing import (
    Controller,
    Controllers,
    FastFeatures,
    Gate,
    SlowFeatures,
    Threshold,
    calibrated,
    confidence_of,
    fast_features_of,
    learned,
    load_controllers,
    said,
    save_controllers,
)
from scalecurve.routing.answer_pairs import Pairs, pairs_of
from scalecurve.routing.controllers import KEEP, LARGER, SLOW
from scalecurve.types import Answer


def some_pairs(n: int = 300, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    sure = rng.random(n)
    right = np.column_stack([rng.random(n) < sure, rng.random(n) < 0.7]).astype(float)
    words = ["yes", "no"]

    def answers(column: int, tokens: int) -> list[Answer]:
        return [
            Answer("", "", response=words[int(right[i, column]) ^ (i % 2)], text_logprob=math.log(sure[i] + 1e-9),
                   generated_tokens=tokens + i % 7)
            for i in range(n)
        ]  # fmt: skip

    families = ["alpha" if i % 3 else "beta" for i in range(n)]
    return pairs_of([str(i) for i in range(n)], families, ["a 1 b"] * n, answers(0, 1), answers(1, 30), list(right))


# ── FastFeatures ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_signals_of_scored_options() -> None:
    answer = Answer("", "", options=(" no", " yes"), option_logprobs=(-2.0, -1.0), generated_tokens=0)
    signals = fast_features_of([answer], ["t"], ["Is 12 over 7?"])
    p = 1 / (1 + math.exp(-1))
    assert (said(answer), signals.confidence[0], signals.margin[0]) == ("yes", pytest.approx(p), 1.0)
    assert signals.entropy[0] == pytest.approx(-p * math.log(p) - (1 - p) * math.log(1 - p))
    assert (signals.words[0], signals.digits[0], signals.tokens[0]) == (4, 3, 0)


def test_confidence_of_texts_and_votes() -> None:
    assert confidence_of(Answer("", "", response="7", text_logprob=math.log(0.5))) == pytest.approx(0.5)
    assert confidence_of(Answer("", "", response="7", flags=("votes:3/4",))) == 0.75
    assert math.isnan(confidence_of(Answer("", "", response="7")))
    assert math.isnan(confidence_of(Answer("", "", response=None, text_logprob=-0.1))), "nothing was found"
    assert math.isnan(confidence_of(Answer("", "", options=("a",), option_logprobs=(-math.inf,))))


# ── Deciding ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_greater_surplus_decides_between_slow_and_larger() -> None:
    pairs = some_pairs()
    signals = pairs.signals
    both = Controller(Threshold(0.4), larger="big", larger_policy=Threshold(0.8))
    decided = both.decide(signals)
    assert set(decided[signals.confidence < 0.8]) == {LARGER}
    assert set(decided[signals.confidence >= 0.8]) == {KEEP}
    assert set(Controller(Threshold(0.8), larger="big", larger_policy=Threshold(0.4)).decide(signals)) == {KEEP, SLOW}


def test_a_rate_is_a_price() -> None:
    pairs = some_pairs()
    policy = learned(pairs).policy
    gain, cost = policy.gain(pairs.signals), policy.cost(pairs.signals)
    assert abs(cost.sum() / pairs.slow_cost.sum() - 1) < 1e-9
    rate = float(np.median(gain[gain > 0] / cost[gain > 0]))
    deferred = Controller(policy, rate).defer(pairs.signals)
    assert (deferred == (gain > rate * cost)).all()


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", ["threshold", "calibrated", "learned"])
def test_a_saved_controller_decides_the_same(kind: str, tmp_path: Path) -> None:
    pairs, other = some_pairs(), some_pairs(200, 1)
    made = {"threshold": Controller(Threshold(0.6)), "calibrated": calibrated(pairs), "learned": learned(pairs)}[kind]
    made = Controller(made.policy, 1e-4, "named", "big", Threshold(0.3), 0.2)
    gates = {"one": Gate(-1.5, "unknown", 0.02, 0.9, 100), "two": Gate(0.0)}
    save_controllers(Controllers({"one": made}, "direct", "zero_shot_cot", gates, "run"), tmp_path / "c.json")
    read = load_controllers(tmp_path / "c.json")
    again = read.of("one")
    assert (read.slow, read.source, read.gate("one"), read.gate("three")) == (
        "zero_shot_cot",
        "run",
        gates["one"],
        None,
    )
    assert (again.name, again.larger, again.abstain_below) == ("named", "big", 0.2)
    assert again.gain(other.signals) == pytest.approx(made.gain(other.signals), abs=1e-7)
    assert (again.decide(other.signals) == made.decide(other.signals)).all()
    settled = [one.policy.settle(other.signals, other.after) for one in (made, again)]
    for mine, theirs in zip(*settled, strict=True):
        assert np.asarray(mine, float) == pytest.approx(np.asarray(theirs, float), abs=1e-7, nan_ok=True)


def test_an_unknown_family_and_missing_numbers_are_decided_too() -> None:
    policy = learned(some_pairs()).policy
    nan = np.array([np.nan, np.nan])
    strange = FastFeatures(np.array(["gamma", "beta"]), np.array(["?", ""]), nan, nan, nan, np.zeros(2), nan, nan)
    after = SlowFeatures(np.array(["", "x"]), nan, np.zeros(2), np.zeros(2, bool))
    assert np.isfinite(policy.gain(strange)).all()
    assert np.isfinite(policy.settle(strange, after)[1]).all()
    assert not policy.settle(strange, after)[0][0], "what was not found is not taken"


def test_one_rung_of_many(tmp_path: Path) -> None:
    save_controllers(Controllers({"one": Controller(Threshold(0.6))}), tmp_path / "c.json")
    with pytest.raises(UserError, match="none was fitted for two; there are some for one"):
        load_controllers(tmp_path / "c.json").of("two")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"format": 2}', '{"format": 1, "rungs": {"a": 3}}', "\ud800"]
)
def test_files_that_are_no_controller(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match=r"c\.json: is no controller .* make one with `scalecurve think fit RUN`"):
        load_controllers(tmp_path / "c.json")


PAIRS = some_pairs(60)
junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_in_one_line_or_read(data: st.DataObject) -> None:
    """Any value of the file replaced by anything: a UserError, or a controller; never another exception."""
    made = {"calibrated": calibrated(PAIRS), "learned": learned(PAIRS), "threshold": Controller(Threshold(0.5))}
    whole = json.loads(Controllers(made, gates={"one": Gate(0.0)}).to_json())
    place, key = whole, data.draw(st.sampled_from(sorted(whole)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(junk)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "c.json"
        path.write_text(json.dumps(whole))
        try:
            read = load_controllers(path)
        except UserError as refused:
            assert len(str(refused).splitlines()) == 1  # noqa: PT017 - it may be read, or be refused; both are right
        else:
            for controller in read.rungs.values():
                assert len(controller.decide(PAIRS.signals)) == len(PAIRS)
                assert len(controller.policy.settle(PAIRS.signals, PAIRS.after)[0]) == len(PAIRS)
