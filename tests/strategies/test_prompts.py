"""Rendering and shots against the specification's vectors, and properties of any draw."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.strategies import Shot, build_prompt, draw, element
from scalecurve.strategies.render import shown_order
from scalecurve.types import Example, Rendering, Task

PERMUTATIONS = {
    1: "0",
    2: "1 0",
    3: "0 1 2",
    4: "1 3 0 2",
    5: "1 4 2 0 3",
    6: "0 1 5 2 4 3",
    7: "0 1 5 2 4 3 6",
    8: "1 5 0 7 2 4 3 6",
    9: "7 1 5 0 8 2 4 3 6",
    10: "8 1 5 0 7 2 9 4 3 6",
}


def task_of(*examples: Example, **rendering: Any) -> Task:
    return Task("t", examples, ("exact_str_match",), "exact_str_match", rendering=Rendering(**rendering))


def letters(two_targets: bool = False) -> Task:
    def targets(name: str) -> tuple[str, ...]:
        return (f"{name}1", f"{name}2") if two_targets else (name.upper(),)

    return task_of(*(Example(name, name, targets(name)) for name in "abcde"))


def arrows(task: Task, k: int, limit: int | None = None) -> str:
    """The draw as the specification writes it: query←shots, with the drawn targets where there is a choice."""
    queries = draw(task, k, "bigbench", limit=limit)

    def shot(one: Shot) -> str:
        return one.target if len(one.example.targets) > 1 else one.example.input

    return ", ".join("←".join([q.example.input, *([" ".join(map(shot, q.shots))] if k else [])]) for q in queries)


@pytest.mark.parametrize("count", PERMUTATIONS)
def test_options_are_shown_in_the_reference_order(count: int) -> None:
    assert " ".join(map(str, shown_order(count))) == PERMUTATIONS[count]


def test_prompt_vector() -> None:
    example = Example("0", "x", ("alpha",), ("zeta", "alpha", "mid", "beta"), (0, 1, 0, 0))
    shown = "P\nQ: x\n  choice: beta\n  choice: zeta\n  choice: alpha\n  choice: mid\nA: "
    assert build_prompt(task_of(example, task_prefix="P"), example) == shown
    assert build_prompt(task_of(example, task_prefix="P", append_choices=False), example) == "P\nQ: x\nA: "


def test_shots_stand_between_prefix_and_question() -> None:
    a, b = Example("0", "a", ("A",)), Example("1", "b", ("B",))
    task = task_of(a, b, task_prefix="P", separator="|")
    assert build_prompt(task, b, (Shot(a, "A"),)) == "P\nQ: a\nA: A|\nQ: b\nA: "


def test_nothing_is_stripped_but_what_numpy_drops() -> None:
    example = Example("0", " x\t", ("b",), ("a\0 ", "b\0"), (0, 1))
    assert element(task_of(example), example) == "\nQ:  x\t\n  choice: b\n  choice: a\0 \nA: "


def test_the_shot_stream() -> None:
    assert arrows(letters(), 1) == "b←c, e←d, c←b, a←d, d←a"
    assert arrows(letters(), 2) == "b←c d, e←d a, c←b a, a←d c, d←a b"
    assert arrows(letters(two_targets=True), 2) == "b←c1 d2, e←b1 a2, c←e1 b2, a←b2 d2, d←b2 c2"
    assert arrows(letters(), 0, limit=3) == "b, e, c"
    assert arrows(letters(), 0) == "a, b, c, d, e"


def test_an_example_is_never_a_shot_of_its_equal() -> None:
    twins = (*letters().examples, Example("twin", "a", ("A",), metadata={"same_as": "a"}))
    for query in draw(task_of(*twins), 4, "bigbench"):
        shown = {shot.example.input for shot in query.shots}
        assert query.example.input not in shown


def test_equals_are_known_where_the_first_of_them_is_not_asked() -> None:
    twins = [Example(name, "a", ("A",), metadata={"same_as": "gone"}) for name in ("twin", "third")]
    for query in draw(task_of(*letters().examples[1:], *twins), 4, "bigbench"):
        assert [shot.example.input for shot in query.shots].count("a") + (query.example.input == "a") <= 2
        if query.example.input == "a":
            assert "a" not in {shot.example.input for shot in query.shots}


@pytest.mark.parametrize("policy", ["bigbench", "fixed", "balanced"])
def test_too_few_examples(policy: str) -> None:
    with pytest.raises(UserError, match="5 distinct examples are too few for 5 shots"):
        draw(letters(), 5, policy)


def test_unknown_policy() -> None:
    with pytest.raises(UserError, match="bigbench, fixed, balanced"):
        draw(letters(), 0, "random")


def test_worked_examples_serve_as_shots() -> None:
    from dataclasses import replace

    task = replace(letters(), worked=(Example("w0", "w", ("W",)),))
    queries = draw(task, 1, "fixed")
    assert [query.example.input for query in queries] == list("abcde")
    assert {query.shots[0].example.input for query in queries} == {"w"}
    with pytest.raises(UserError, match="1 worked examples are too few"):
        draw(task, 2, "fixed")


def test_balanced_shots_differ_in_their_answers() -> None:
    task = task_of(*(Example(str(n), f"q{n}", ("no" if n % 5 else "yes",)) for n in range(50)))
    for seed in range(5):
        targets = sorted(shot.target for shot in draw(task, 4, "balanced", seed=seed, limit=10)[0].shots)
        assert targets == ["no", "no", "yes", "yes"]


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 30),
    k=st.integers(0, 5),
    seed=st.integers(0, 5),
    limit=st.none() | st.integers(1, 40),
    policy=st.sampled_from(["bigbench", "fixed", "balanced"]),
)
def test_any_draw(n: int, k: int, seed: int, limit: int | None, policy: str) -> None:
    if n < k + 1:
        return
    task = task_of(*(Example(str(i), f"q{i}", (f"a{i % 3}",)) for i in range(n)))
    queries = draw(task, k, policy, seed=seed, limit=limit)
    asked = [query.example.id for query in queries]
    assert len(set(asked)) == len(asked) >= 1
    assert len(asked) == min(limit or n, n if policy == "bigbench" else n - k)
    for query in queries:
        shown = [shot.example.id for shot in query.shots]
        assert len(set(shown)) == k
        assert query.example.id not in shown
        assert all(shot.target in shot.example.targets for shot in query.shots)
    assert queries == draw(task, k, policy, seed=seed, limit=limit)
    if policy != "bigbench":
        assert all(query.shots == queries[0].shots for query in queries)
        if limit is not None and limit + k <= n:
            assert asked == [query.example.id for query in draw(task, 0, "fixed", limit=limit)]
