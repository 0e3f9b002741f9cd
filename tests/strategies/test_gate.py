"""The answerability gate: what it asks, its margin, and thresholds fitted to it."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.metrics import score
from scalecurve.strategies import FewShotExample, Question, get_strategy
from scalecurve.strategies.gating import (
    ANSWERABLE,
    DEFAULT_SHOTS,
    LABELS,
    GateShot,
    GateThreshold,
    dismissal_request,
    fit_threshold,
    gate_label,
    gate_margin,
    gate_request,
)
from scalecurve.strategies.typed import type_of
from scalecurve.study.plan import make_plan
from scalecurve.study.study import parse_study
from scalecurve.tasks import load_tasks
from scalecurve.types import Answer, Example, Output, Request, Task


def shown(prompt: str) -> list[tuple[str, str]]:
    """(question, verdict) of the shots in a prompt."""
    blocks = [block for block in prompt.split("\n\n") if block.startswith("Question: ")]
    pairs = (block.removeprefix("Question: ").split("\nVerdict:") for block in blocks)
    return [(question, verdict.strip()) for question, verdict in pairs]


def test_what_is_asked() -> None:
    request = gate_request(" How many? \n")
    assert request.options == (" answerable", " unanswerable", " underspecified", " unknowable")
    assert request.prompt.endswith("\nVerdict: " + shown(request.prompt)[-2][1] + "\n\nQuestion: How many?\nVerdict:")
    assert (request.max_tokens, request.temperature) == (0, 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_shots_alternate_and_are_shuffled_by_seed(seed: int) -> None:
    pairs = shown(gate_request("How many?", seed=seed).prompt)[:-1]
    assert Counter(pairs) == Counter((shot.question, shot.label) for shot in DEFAULT_SHOTS)
    kinds = [verdict == ANSWERABLE for _, verdict in pairs]
    assert all(one != other for one, other in pairwise(kinds))


def test_seeds_order_the_shots_differently_and_questions_alike() -> None:
    assert len({gate_request("How many?", seed=seed).prompt for seed in range(8)}) > 4
    one, other = (gate_request(text, seed=3).prompt for text in ("How many?", "When?"))
    assert one.removesuffix("How many?\nVerdict:") == other.removesuffix("When?\nVerdict:")


def test_a_tested_item_is_never_a_shot() -> None:
    for shot in DEFAULT_SHOTS:
        questions = [question for question, _ in shown(gate_request(shot.question).prompt)]
        assert questions.count(shot.question) == 1
        assert questions[-1] == shot.question


def test_shots_of_ones_own() -> None:
    request = gate_request("c", shots=(GateShot("a", "answerable"), GateShot("b", "unknowable")))
    assert set(shown(request.prompt)[:-1]) == {("a", "answerable"), ("b", "unknowable")}
    with pytest.raises(UserError, match="'maybe': use answerable"):
        gate_request("c", shots=(GateShot("a", "maybe"),))


def scored(*values: float) -> Output:
    return Output(logprobs=values)


def test_margin_and_label() -> None:
    reply = scored(math.log(0.4), math.log(0.1), math.log(0.05), math.log(0.05))
    assert gate_margin(reply) == pytest.approx(math.log(2))
    assert gate_label(reply) == "answerable"
    assert gate_label(scored(-3.0, -2.0, -1.0, -4.0)) == "underspecified"
    assert gate_margin(scored(-900.0, -901.0, -901.0, -901.0)) == pytest.approx(1 - math.log(3))


def test_margin_of_a_dismissal() -> None:
    request = dismissal_request("\nQ: Who?\nA: ", "unknown")
    assert (request.prompt, request.options) == ("\nQ: Who?\nA: ", ("unknown",))
    reply = scored(math.log(0.25))
    assert (gate_margin(reply), gate_label(reply)) == (pytest.approx(math.log(3)), "answerable")
    assert (gate_margin(scored(0.0)), gate_label(scored(0.0))) == (pytest.approx(-16.6355, abs=1e-3), "unanswerable")


@given(st.lists(st.floats(-50, 0), min_size=4, max_size=4))
def test_the_margin_is_the_log_odds_among_the_verdicts(values: list[float]) -> None:
    odds = math.exp(values[0]) / sum(map(math.exp, values[1:]))
    assert gate_margin(scored(*values)) == pytest.approx(math.log(odds), abs=1e-9)
    assert values[LABELS.index(gate_label(scored(*values)))] == max(values)


# ── Thresholds ───────────────────────────────────────────────────────────────────────────────────────────────
def test_threshold_of_greatest_balanced_accuracy() -> None:
    found = fit_threshold([2.0, 1.0, 0.0, 1.0, -1.0], [True, True, True, False, False])
    assert found == GateThreshold(-0.5, 0.0, 0.5, 5)
    assert found.balanced_accuracy == 0.75
    assert [found.accepts(margin) for margin in (0.0, -0.5, -1.0)] == [True, False, False]


def test_threshold_with_few_false_refusals() -> None:
    margins, answerable = [-3.0, -2.0, 3.0, 4.0, 1.0, 2.0], [True, False, True, True, False, False]
    assert fit_threshold(margins, answerable, false_refusal=0.0).recall == 0.0
    strict = fit_threshold(margins, answerable, false_refusal=0.4)
    assert (strict.value, strict.recall, strict.false_refusal) == (2.5, 1.0, pytest.approx(1 / 3))


def test_a_gate_that_ranks_wrongly_refuses_nobody() -> None:
    found = fit_threshold([0.0, 1.0], [True, False])
    assert (found.false_refusal, found.recall, found.balanced_accuracy) == (0.0, 0.0, 0.5)
    assert found.accepts(0.0)


@given(st.lists(st.tuples(st.integers(-5, 5).map(float), st.booleans()), min_size=2, max_size=30))
def test_no_threshold_is_better(items: list[tuple[float, bool]]) -> None:
    margins, answerable = [m for m, _ in items], [yes for _, yes in items]
    if len(set(answerable)) < 2:
        with pytest.raises(UserError, match="either kind"):
            fit_threshold(margins, answerable)
        return

    def balanced(value: float) -> float:
        shares = [
            sum((m > value) == kind for m, yes in items if yes == kind) / answerable.count(kind)
            for kind in (True, False)
        ]
        return sum(shares) / 2

    found = fit_threshold(margins, answerable)
    assert found.balanced_accuracy == pytest.approx(balanced(found.value))
    assert found.balanced_accuracy >= max(balanced(at / 2) for at in range(-12, 13)) - 1e-12


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_limit_must_be_a_share(share: float) -> None:
    with pytest.raises(UserError, match="false_refusal"):
        fit_threshold([0.0, 1.0], [False, True], false_refusal=share)


# ── The strategy ─────────────────────────────────────────────────────────────────────────────────────────────
SUM = Example("s", "1+1?", ("2",))
TASK = Task("t", (SUM,), ("exact_match",), "exact_match", max_tokens=9)


def ask(
    name: str, *stages: Output, example: Example = SUM, **settings: Any
) -> tuple[list[tuple[Request, ...]], Answer]:
    """Run a strategy on prepared replies; returns what it asked at each stage, and its answer."""
    asking = get_strategy(name)(Question(TASK, FewShotExample(example), frozenset({"text"}), settings))
    asked = [next(asking)]
    for reply in stages:
        try:
            asked.append(asking.send((reply,)))
        except StopIteration as stop:
            return asked, stop.value
    raise AssertionError(f"{name} asks once more: {asked[-1]}")


SOUND, UNSOUND = scored(-1.0, -3.0, -4.0, -5.0), scored(-3.0, -1.0, -4.0, -5.0)


def test_the_gate_alone_says_its_verdict_and_no_more() -> None:
    asked, answer = ask("gate", UNSOUND, seed=3)
    assert asked == [(gate_request("1+1?", seed=3),)]
    assert (answer.options, answer.option_logprobs) == (LABELS, UNSOUND.logprobs)
    assert (answer.text, answer.response) == (None, None)
    assert answer.flags == ("gate:unanswerable", f"margin:{gate_margin(UNSOUND)!r}", "abstained")
    assert "abstained" not in ask("gate", SOUND)[1].flags


def test_verdicts_are_not_taken_for_a_choice_among_four_options() -> None:
    four = Example("f", "which?", ("a",), ("a", "b", "c", "d"), (1.0, 0.0, 0.0, 0.0))
    _, answer = ask("gate", SOUND, example=four)
    assert score(TASK, four, answer, "multiple_choice_grade") is None
    assert score(TASK, four, answer, "target_logprob") is None


def test_before_another_strategy() -> None:
    said = Output(texts=(" 2",), prompt_tokens=5, generated_tokens=1)
    asked, answer = ask("gate+direct", SOUND, said)
    assert asked[1] == next(get_strategy("direct")(Question(TASK, FewShotExample(SUM), frozenset({"text"}))))
    assert (answer.text, answer.generated_tokens) == (" 2", 1)
    assert answer.flags[0] == "gate:answerable"
    asked, answer = ask("gate+zero_shot_cot", UNSOUND)
    assert (len(asked), answer.response, answer.generated_tokens) == (1, "unanswerable", 0)
    assert "abstained" in answer.flags
    assert score(TASK, SUM, answer, "extraction_rate") == 1.0, "a refusal is no failed extraction"


def test_a_text_to_judge_other_than_the_input() -> None:
    asked, _ = ask("gate", SOUND, example=replace(SUM, metadata={"gate_text": "Why?"}))
    assert asked[0] == (gate_request("Why?"),)


def test_a_dismissal_is_scored_after_the_question_as_it_is_put() -> None:
    asked, answer = ask("gate", scored(-0.1), gate_dismissal="unknown")
    assert asked[0] == (Request("\nQ: 1+1?\nA: ", options=("unknown",)),)
    assert (answer.options, answer.flags[-1]) == (("unknown",), "abstained")


def test_shots_and_thresholds_come_from_the_settings() -> None:
    shots = [{"question": "a", "label": "answerable"}, {"question": "b", "label": "unknowable"}]
    asked, _ = ask("gate", SOUND, gate_shots=shots)
    assert set(shown(asked[0][0].prompt)[:-1]) == {("a", "answerable"), ("b", "unknowable")}
    limits = {"small": 9.0, "large": 0}
    assert "abstained" in ask("gate", SOUND, gate_threshold=limits, rung="small")[1].flags
    assert "abstained" not in ask("gate", SOUND, gate_threshold=limits, rung="large")[1].flags


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gate_threshold": "high"}, "gate_threshold: 'high'"),
        ({"gate_threshold": True}, "gate_threshold: True"),
        ({"gate_threshold": {"small": 1.0}, "rung": "large"}, "no threshold for 'large'"),
        ({"gate_shots": "a"}, "gate_shots"),
        ({"gate_shots": [{"question": "a"}]}, "gate_shots"),
        ({"gate_dismissal": 3}, "gate_dismissal"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    for name in ("gate", "gate+direct"):
        with pytest.raises(UserError, match=message):
            ask(name, SOUND, **settings)


def test_only_a_stage_can_come_before() -> None:
    for name, message in (("direct+gate", "no stage"), ("gate+dirct", "direct"), ("gate+", "unknown strategy")):
        with pytest.raises(UserError, match=message):
            get_strategy(name)
    study = {"name": "s", "models": ["mock"], "tasks": ["twins:2"]}
    assert make_plan(parse_study(study | {"strategies": ["gate+direct"]})).tasks[0].arms[0].strategy == "gate+direct"
    for name in ("direct+gate", "gate+dirct"):
        with pytest.raises(UserError, match="strategies"):
            make_plan(parse_study(study | {"strategies": [name]}))


def test_questions_without_an_answer_do_not_decide_the_type_of_answers() -> None:
    (task,) = load_tasks("twins:6")
    query = FewShotExample(task.examples[1])
    assert type_of(Question(task, query, frozenset())).name == "number"
