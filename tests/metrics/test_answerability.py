"""Metrics of knowing what cannot be answered: golden numbers, rates on written answers, errors by whole pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.metrics import aggregate, score
from scalecurve.metrics.answerability import abstained, answerable, dismisses, margin
from scalecurve.metrics.ranking import auroc, placements, risk_coverage
from scalecurve.types import Answer, Example, Task

TASK = Task("t", (), ("gate_auroc",), "gate_auroc")
YES = Example("y", "1+1?", ("2",), metadata={"answerable": True})
NO = Example("n", "1+some?", ("unanswerable",), metadata={"answerable": False})
UNTOLD = Example("u", "1+1?", ("2",))


def margins(*values: float) -> list[Answer]:
    flags = [("gate:answerable", f"margin:{float(value)!r}") for value in values]
    return [Answer(str(at), "", flags=each) for at, each in enumerate(flags)]


def examples(*answerable: bool, pairs: tuple[str, ...] = ()) -> list[Example]:
    told = [{"answerable": one} for one in answerable]
    if pairs:
        told = [one | {"pair": pair} for one, pair in zip(told, pairs, strict=True)]
    return [Example(str(at), "", ("x",), metadata=one) for at, one in enumerate(told)]


# ── Ranking ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_golden_auroc_and_area_under_risk() -> None:
    assert auroc(np.array([2.0, 1, 0, 1, -1]), np.array([1.0, 1, 1, 0, 0])) == 0.75
    assert risk_coverage(np.array([4.0, 3, 2, 1]), np.array([1.0, 1, 0, 1]))[2] == pytest.approx(0.145833, abs=5e-7)
    value, se, n = aggregate(TASK, "gate_auroc", examples(True, True, True, False, False), margins(2, 1, 0, 1, -1))
    assert (value, n) == (0.75, 5)
    assert se is not None
    assert se > 0


@given(st.lists(st.tuples(st.integers(-3, 3).map(float), st.booleans()), min_size=2, max_size=40))
def test_placements_count_pairs(items: list[tuple[float, bool]]) -> None:
    score_, yes = np.array([s for s, _ in items]), np.array([y for _, y in items])
    found = placements(score_, yes.astype(float))
    if yes.all() or not yes.any():
        assert found is None
        assert math.isnan(auroc(score_, yes.astype(float)))
        return
    wins = np.sign(score_[yes][:, None] - score_[~yes][None, :]) / 2 + 0.5
    assert found is not None
    assert found[0] == pytest.approx(wins.mean(axis=1))
    assert found[1] == pytest.approx(wins.mean(axis=0))


def test_the_error_of_the_auroc_is_delongs() -> None:
    rng = np.random.default_rng(0)
    values = [*rng.normal(1, 1, 150), *rng.normal(0, 1, 100)]
    yes = np.array([1.0] * 150 + [0.0] * 100)
    found = placements(np.array(values), yes)
    assert found is not None
    delong = math.sqrt(found[0].var(ddof=1) / 150 + found[1].var(ddof=1) / 100)
    value, se, n = aggregate(TASK, "gate_auroc", examples(*map(bool, yes)), margins(*values), replicates=4000)
    assert (value, n) == (pytest.approx(auroc(np.array(values), yes)), 250)
    assert se == pytest.approx(delong, rel=0.05)


def test_pairs_are_drawn_whole() -> None:
    """The same margins twice, once as pairs whose members move together: their AUROC is known better."""
    rng = np.random.default_rng(1)
    base = rng.normal(0, 3, 100)
    values = [float(v) for x in base for v in (x + 0.5 + rng.normal(0, 0.1), x)]
    kinds = (True, False) * 100
    pairs = tuple(str(at // 2) for at in range(200))
    _, alone, _ = aggregate(TASK, "gate_auroc", examples(*kinds), margins(*values))
    _, paired, n = aggregate(TASK, "gate_auroc", examples(*kinds, pairs=pairs), margins(*values))
    assert alone is not None
    assert paired is not None
    assert paired < alone / 2
    assert n == 200


def test_twin_accuracy() -> None:
    told = examples(True, False, True, False, True, False, pairs=("a", "a", "b", "b", "c", "c"))
    value, _, n = aggregate(TASK, "twin_accuracy", told, margins(2.0, 1.0, 0.0, 0.0, -1.0, 5.0))
    assert (value, n) == (0.5, 3)
    assert aggregate(TASK, "twin_accuracy", told[:1], margins(1.0)) == (None, None, 0)


def test_without_margins_there_is_no_auroc() -> None:
    assert aggregate(TASK, "gate_auroc", examples(True, False), [Answer("0", ""), Answer("1", "")]) == (None, None, 0)
    assert aggregate(TASK, "gate_auroc", examples(True, True), margins(1.0, 2.0)) == (None, None, 0)


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────
def said(text: str, response: str | None = None) -> Answer:
    return Answer("x", "", text=text, response=response)


REFUSED = Answer("x", "", flags=("gate:unanswerable", "margin:-1.0", "abstained"))
LET_THROUGH = Answer("x", "", flags=("gate:answerable", "margin:1.0"))
RIGHT, WRONG, LOST, KNOWS = said(" 2", "2"), said(" 3", "3"), said("hm"), said("I do not know.", "I do not know")
METRICS = (
    "false_refusal_rate", "abstention_recall", "abstention_precision", "garbage_in_rate", "selective_accuracy",
    "answerable_accuracy", "abstention_accuracy",
)  # fmt: skip


@pytest.mark.parametrize(
    ("example", "answer", "values"),
    [
        (YES, RIGHT, (0, None, None, None, 1, 1, 1)),
        (YES, WRONG, (0, None, None, None, 0, 0, 0)),
        (YES, KNOWS, (1, None, 0, None, None, 0, 0)),
        (YES, REFUSED, (1, None, 0, None, None, None, None)),
        (YES, LET_THROUGH, (0, None, None, None, None, None, None)),
        (NO, RIGHT, (None, 0, None, 1, 0, None, 0)),
        (NO, LOST, (None, 0, None, 0, 0, None, 0)),
        (NO, KNOWS, (None, 1, 1, 0, None, None, 1)),
        (NO, REFUSED, (None, 1, 1, None, None, None, None)),
        (NO, LET_THROUGH, (None, 0, None, None, None, None, None)),
        (UNTOLD, RIGHT, (None,) * 7),
        (YES, Answer("x", ""), (None,) * 7),
    ],
)
def test_rates(example: Example, answer: Answer, values: tuple[float | None, ...]) -> None:
    assert tuple(score(TASK, example, answer, metric) for metric in METRICS) == values


@pytest.mark.parametrize(
    ("text", "response", "refusal"),
    [
        ("unknown", "unknown", True),
        ("Unanswerable.", "Unanswerable.", True),
        ("It cannot be determined.", None, True),
        ("There isn't enough information to tell", None, True),
        ("insufficient information", "insufficient information", True),
        ("So the answer is unknown.", None, True),
        ("12, but I do not know why", "12", False),
        ("the unknown number x", None, False),
        ("Unknown Soldier", "Unknown Soldier", False),
        ("", None, False),
    ],
)
def test_what_is_a_refusal_in_words(text: str, response: str | None, refusal: bool) -> None:
    assert dismisses(text, response) is refusal


@pytest.mark.parametrize(
    ("text", "response", "refusal"),
    [
        ("x", "UNDETERMINED", True),
        ("x", "(indeterminate)", True),
        ("x", "unknowable, I think", False),
        ("The answer is not given.", None, True),
        ("The answer is undefined.", None, True),
        ("That could not be answered", None, True),
        ("That can not be known", None, True),
        ("It couldn’t be solved", None, True),
        ("We do not have sufficient data", None, True),
        ("There is not enough information", None, True),
        ("I can't tell", None, True),
        ("I don’t know", None, True),
        ("IMPOSSIBLE TO SAY", None, True),
        ("I know", None, False),
        ("enough information", None, False),
        ("unknown", None, False),  # without a response only whole phrases count
        ("x", "", False),
        ("I do not know", "", True),
    ],
)
def test_more_refusals_in_words(text: str, response: str | None, refusal: bool) -> None:
    assert dismisses(text, response) is refusal


def test_what_an_example_and_a_gate_say() -> None:
    assert [answerable(one) for one in (YES, NO, UNTOLD)] == [True, False, None]
    assert answerable(Example("x", "", metadata={"answerable": "yes"})) is None
    assert margin(REFUSED) == -1.0
    assert math.isnan(margin(said("x")))
    assert abstained(Answer("x", "")) is None
    assert abstained(LET_THROUGH) is False
    assert abstained(REFUSED) is True
    assert abstained(said("I do not know")) is True
    assert abstained(Answer("x", "", text="2", flags=("abstained",))) is True
    assert abstained(Answer("x", "", flags=("margin:1.0",))) is None


def test_the_auroc_leaves_out_what_is_not_told_or_has_no_margin() -> None:
    told = [*examples(True, False, True, False), UNTOLD, YES]
    answers = [*margins(2.0, 1.0, 0.0, -1.0, 9.0), Answer("y", "")]
    value, se, n = aggregate(TASK, "gate_auroc", told, answers)
    assert (value, n) == (0.75, 4)
    assert se is not None
    assert aggregate(TASK, "gate_auroc", told[1:4:2], answers[1:4:2]) == (None, None, 0)


def test_twins_by_hand() -> None:
    """Each unanswerable twin against all sound ones of its pair; others have no twin."""
    told = examples(True, True, False, False, False, pairs=("a", "a", "a", "a", "b"))
    value, _, n = aggregate(TASK, "twin_accuracy", told, margins(2.0, 0.0, 1.0, 0.0, -9.0))
    assert (value, n) == (pytest.approx((0.5 + 0.75) / 2), 2)
    unpaired = examples(True, False)
    assert aggregate(TASK, "twin_accuracy", unpaired, margins(1.0, 0.0)) == (None, None, 0)
    half = examples(True, False, pairs=("a", "a"))
    assert aggregate(TASK, "twin_accuracy", half, [Answer("0", ""), *margins(0.0)]) == (None, None, 0)
    assert aggregate(TASK, "twin_accuracy", half, [*margins(0.0), Answer("1", "")]) == (None, None, 0)


def test_twins_are_drawn_by_pairs() -> None:
    pairs = tuple(str(at // 2) for at in range(40))
    value, se, n = aggregate(
        TASK, "twin_accuracy", examples(*(True, False) * 20, pairs=pairs),
        margins(*[v for at in range(20) for v in ((1.0, 0.0) if at % 2 else (0.0, 1.0))]), replicates=4000,
    )  # fmt: skip
    assert (value, n) == (0.5, 20)
    assert se == pytest.approx(0.5 / 20**0.5, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 3).map(float), st.booleans()), min_size=1, max_size=12))
def test_risk_and_coverage_are_the_mean_over_orders_of_equals(items: list[tuple[float, bool]]) -> None:
    confidence, right = np.array([c for c, _ in items]), np.array([float(r) for _, r in items])
    coverage, accuracy, area = risk_coverage(confidence, right)
    n = len(items)
    assert coverage == pytest.approx((np.arange(n) + 1) / n)
    expected = []
    for level in sorted(set(confidence.tolist()), reverse=True):
        same = right[confidence == level]
        expected += [same.mean()] * len(same)
    assert accuracy == pytest.approx(np.cumsum(expected) / (np.arange(n) + 1))
    assert area == pytest.approx(1 - accuracy.mean())
