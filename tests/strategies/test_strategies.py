"""What the strategies ask, and what they make of the replies; the replies are written here."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from replies import converse

from scalecurve.errors import UserError
from scalecurve.strategies import FewShotExample, Question, Shot, get_strategy, strategy_names
from scalecurve.strategies.chain_of_thought import concluded
from scalecurve.tasks.postprocess import DEFAULT_REGEX
from scalecurve.types import Answer, Example, Output, Postprocess, Request, Task

STEPS = "Let's think step by step. 1+1=2. So the answer is 2."
SUM = Example("s", "1+1?", ("2",), rationale=STEPS)
CHOICE = Example("c", "which?", ("b",), ("a", "b"), (0.0, 1.0))
ALL = frozenset({"options", "targets", "text"})


def task_of(*examples: Example) -> Task:
    rules = Postprocess(DEFAULT_REGEX)
    return Task("t", examples, ("exact_str_match",), "exact_str_match", postprocess=rules, max_tokens=9)


def ask(
    name: str, example: Example, wants: frozenset[str], *stages: Sequence[Output], shots: tuple[Shot, ...] = ()
) -> tuple[list[tuple[Request, ...]], Answer]:
    """Run a strategy on prepared replies; returns what it asked at each stage, and its answer."""
    return converse(get_strategy(name)(Question(task_of(example), FewShotExample(example, shots), wants)), *stages)


def text(said: str) -> Output:
    return Output(texts=(said,), text_logprobs=((-0.5, -0.25),), prompt_tokens=7, generated_tokens=2)


def scored(*values: float) -> Output:
    return Output(logprobs=values, token_counts=(1,) * len(values), greedy=(False,) * len(values), prompt_tokens=7)


def test_registry() -> None:
    assert {"direct", "chain_of_thought"} <= set(strategy_names())
    with pytest.raises(UserError, match="direct"):
        get_strategy("dirct")


def test_direct_asks_what_is_wanted_and_no_more() -> None:
    asked, answer = ask("direct", CHOICE, ALL, [scored(-3.0, -1.0), text("b. And")])
    prompt = "\nQ: which?\n  choice: b\n  choice: a\nA: "
    assert asked == [(Request(prompt, options=("a", "b")), Request(prompt, max_tokens=9, stop=("\n",)))]
    assert (answer.option_logprobs, answer.target_logprobs) == ((-3.0, -1.0), (-1.0,))
    assert (answer.text, answer.response, answer.text_logprob) == ("b. And", "b", -0.75)
    assert (answer.prompt_tokens, answer.generated_tokens) == (14, 2)

    asked, answer = ask("direct", SUM, frozenset({"targets"}), [scored(-2.0)])
    assert asked == [(Request("\nQ: 1+1?\nA: ", options=("2",)),)]
    assert (answer.target_logprobs, answer.text, answer.response) == ((-2.0,), None, None)


def test_direct_looks_beyond_the_first_line_only_when_it_must() -> None:
    asked, answer = ask("direct", SUM, frozenset({"text"}), [text("\n")], [text("\n2\nQ")])
    assert asked[1] == (Request("\nQ: 1+1?\nA: ", max_tokens=9),)
    assert (answer.text, answer.response, answer.generated_tokens) == ("\n2\nQ", "2", 4)


def test_targets_that_are_no_options_are_scored_apart() -> None:
    prose = replace(CHOICE, targets=("It is b.",))
    asked, answer = ask("direct", prose, frozenset({"options", "targets"}), [scored(-3.0, -1.0), scored(-9.0)])
    assert [request.options for request in asked[0]] == [("a", "b"), ("It is b.",)]
    assert answer.target_logprobs == (-9.0,)


def test_chain_of_thought_without_shots() -> None:
    asked, answer = ask("chain_of_thought", SUM, frozenset({"text"}), [text(" 1+1=2. So the answer is 2.")])
    prompt = "\nQ: 1+1?\nA: Let's think step by step."
    assert asked == [(Request(prompt, max_tokens=256, stop=("\n\nQ:", "\n")),)]
    assert (answer.prompt, answer.response) == (prompt, "2")


def test_chain_of_thought_with_shots_shows_their_steps() -> None:
    shots = (Shot(SUM, "2"), Shot(CHOICE, "b"))
    asked, _ = ask("chain_of_thought", SUM, frozenset({"text"}), [text("no idea")], shots=shots)
    choice = "\nQ: which?\n  choice: b\n  choice: a\nA: Let's think step by step. So the answer is b."
    assert asked[0][0].prompt == f"\nQ: 1+1?\nA: {STEPS}\n{choice}\n\nQ: 1+1?\nA: Let's think step by step."


def test_chain_of_thought_scores_options_after_its_own_chain() -> None:
    asked, answer = ask(
        "chain_of_thought", CHOICE, ALL, [text(" b comes last. So the answer is a.")], [scored(-1.0, -2.0)]
    )
    head = "\nQ: which?\n  choice: b\n  choice: a\nA: Let's think step by step."
    assert asked[1] == (Request(f"{head} b comes last. So the answer is", options=(" a", " b")),)
    assert (answer.options, answer.option_logprobs) == (("a", "b"), (-1.0, -2.0))
    assert (answer.target_logprobs, answer.response) == ((-2.0,), "a")


@pytest.mark.parametrize(
    ("chain", "response"),
    [
        ("THE ANSWER IS Bob. So the answer is Ann", "Ann"),
        ("So the answer is **Ann**. She is tall.", "Ann"),
        ("So the answer is: Ann\n\nQ: more", "Ann"),
        ("<think>So the answer is Bob.</think> So the answer is Ann.", "Ann"),
        ("I do not know", None),
        ("So the answer is", None),
        ("", None),
    ],
)
def test_all_strategies_read_a_chain_alike(chain: str, response: str | None) -> None:
    name, wants = Example("n", "who?", ("Ann",)), frozenset({"text"})
    for strategy in ("chain_of_thought", "self_consistency"):
        question = Question(task_of(name), FewShotExample(name), wants, {"samples": 1})
        _, answer = converse(get_strategy(strategy)(question), [text(chain)])
        assert answer.response == response


def test_steps_have_a_limit_of_their_own() -> None:
    wants = frozenset({"text"})
    for settings, own, limit in (({}, 0, 256), ({"step_tokens": 40}, 0, 40), ({"max_tokens": 50}, 0, 50), ({}, 60, 60)):
        task = replace(task_of(SUM), step_tokens=own)
        for strategy in ("chain_of_thought", "zero_shot_cot", "self_consistency", "least_to_most"):
            asking = get_strategy(strategy)(Question(task, FewShotExample(SUM), wants, settings))
            assert next(asking)[0].max_tokens == limit, strategy
    with pytest.raises(UserError, match=r"settings\.step_tokens"):
        next(get_strategy("chain_of_thought")(Question(task_of(SUM), FewShotExample(SUM), wants, {"step_tokens": 0})))


def test_a_chain_without_conclusion_gets_ours() -> None:
    assert concluded("A: ", "") == "A: So the answer is"
    assert concluded("A: ", "steps ") == "A: steps So the answer is"
    assert concluded("think.", " so the Answer is 4.") == "think. so the Answer is"
