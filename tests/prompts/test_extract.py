"""Answers found in texts: the published rules' vectors, their pitfalls, and stored outputs of a real model."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.nouns import Example, UserError
from scalecurve.prompts.extract import RULES, answer_type, bbh_answer, find_answer, infer_type, spelled_as

KINDS = ("number", "option", "option:C", "yes_no", "letters", "text")


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("number", " 1,234.", "1234"),
        ("number", " $18.00", "18.00"),
        ("number", " 5-3=2", "5"),
        ("number", " -7 degrees", "-7"),
        ("number", " 3.", "3"),
        ("number", " 1/2", "1"),
        ("number", " eighteen", ""),
        ("option", " (C)", "C"),
        ("option", " Both B and C", "B"),
        ("option", " Charlie is tall: D", "C"),
        ("option", " c", ""),
        ("yes_no", " No, the coin", "no"),
        ("yes_no", " (Yes)", ""),
        ("yes_no", " Nope", ""),
        ("yes_no", "yes;", ""),
        ("letters", ' "n d".', "nd"),
        ("option:C", " Alice has the ball: C", "A"),
    ],
)
def test_published_rule(kind: str, text: str, answer: str) -> None:
    assert find_answer(text, answer_type(kind), "kojima") == answer


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("number", "So 3 + 4 = 7", "7"),
        ("number", "The answer is 7. Q: 9 apples. The answer is 12.", "12"),
        ("option", "I think A or B", "B"),
        ("number", "The answer is seven, not 8 or 9.", "8"),
        ("number", "1 and 2 make 3. The answer is unknown", ""),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_with_shots(rule: str, kind: str, text: str, answer: str) -> None:
    assert find_answer(text, answer_type(kind), rule, few_shot=True) == answer


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("option", " Charlie is tall: D", "D"),
        ("option", "(B) seems likely, but it is (D).", "D"),
        ("option", "CAB", ""),
        ("yes_no", " (Yes)", "yes"),
        ("yes_no", "yes;", "yes"),
        ("yes_no", " Nope", ""),
        ("number", "3.", "3"),
        ("text", '\n "Ann Lee".\nQ: next', "Ann Lee"),
    ],
)
def test_robust_rule(kind: str, text: str, answer: str) -> None:
    assert find_answer(text, answer_type(kind)) == answer


def test_a_minus_between_digits_is_no_sign() -> None:
    assert find_answer("it is 5-3", answer_type("number"), "kojima", few_shot=True) == "-3"
    assert find_answer("it is 5-3", answer_type("number"), "robust", few_shot=True) == "3"
    assert find_answer("it is -3", answer_type("number"), "robust", few_shot=True) == "-3"


@given(st.text(), st.sampled_from(KINDS), st.sampled_from(RULES), st.booleans())
def test_any_text_has_an_answer_of_its_type_or_none(text: str, kind: str, rule: str, few_shot: bool) -> None:
    found = find_answer(text, answer_type(kind), rule, few_shot=few_shot)
    if kind == "yes_no":
        assert found in ("", "yes", "no")
    elif kind == "option:C":
        assert found in ("", "A", "B", "C")
    elif kind == "number":
        assert found == "" or float(found) is not None


def test_spelling_of_equal_answers() -> None:
    assert spelled_as("7.0", answer_type("number"), ("8", "7")) == "7"
    assert spelled_as("1234", answer_type("number"), ("1,234",)) == "1,234"
    assert spelled_as("C", answer_type("option"), ("(B)", "(C)")) == "(C)"
    assert spelled_as("no", answer_type("yes_no"), ("Yes", "No")) == "No"
    assert spelled_as("9", answer_type("number"), ("8",)) == "9"
    assert spelled_as("", answer_type("text"), ("",)) == ""


@pytest.mark.parametrize(
    ("targets", "kind"),
    [(("1", "-2,000"), "number"), (("Yes", "No"), "yes_no"), (("(A)", "(F)"), "option:F"), (("Ann",), "text")],
)
def test_type_of_a_task(targets: tuple[str, ...], kind: str) -> None:
    assert infer_type([Example(target, "?", (target,)) for target in targets]) == answer_type(kind)


def test_a_number_may_also_be_a_word() -> None:
    counts = [Example("a", "?", ("five", "5")), Example("b", "?", ("2",))]
    assert infer_type(counts) == answer_type("number")
    assert infer_type([*counts, Example("c", "?", ("none",))]) == answer_type("text")
    assert infer_type([Example("d", "?", ("5",), ("five", "5"), (0.0, 1.0))]) == answer_type("text")


def test_errors_name_the_setting() -> None:
    with pytest.raises(UserError, match=r"settings\.answer_type"):
        answer_type("numbr")
    with pytest.raises(UserError, match=r"settings\.extraction"):
        find_answer("1", answer_type("number"), "best")


@pytest.mark.parametrize("kind", ["direct", "cot"])
def test_published_accuracy_of_every_bbh_task(shared: Path, kind: str) -> None:
    folder = shared / "data" / "bbh" / "codex-outputs" / kind
    stored = sorted(folder.glob("*_eval_metrics.jsonl"))
    assert len(stored) == 14
    for metrics in stored:
        published = json.loads(metrics.read_text())["accuracy"]
        raw = json.loads(metrics.with_name(metrics.name.replace("_eval_metrics.jsonl", ".json")).read_text())["outputs"]
        records = [record for record in raw if isinstance(record, dict)]
        right = sum(
            bbh_answer(r["prediction"], chain=kind == "cot") == bbh_answer(r["target"], chain=False) for r in records
        )
        assert 100 * right / len(records) == pytest.approx(published, abs=1e-9), metrics.name
