"""Answers found in texts: the published rules' vectors, their pitfalls, and stored outputs of a real model."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.strategies import FewShotExample, Question
from scalecurve.strategies.extraction import RULES, answer_type, bbh_answer, find_answer, infer_type, spelled_as
from scalecurve.strategies.typed import respond, type_of
from scalecurve.tasks import load_tasks
from scalecurve.types import Example

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
        ("number", "1 and 2 make 3. The answer is unknown", ""),
    ],
)
@pytest.mark.parametrize("rule", ["robust", "kojima"])
def test_with_shots(rule: str, kind: str, text: str, answer: str) -> None:
    assert find_answer(text, answer_type(kind), rule, few_shot=True) == answer


def test_with_shots_the_published_rule_guesses_and_ours_does_not() -> None:
    for text, kind, published, ours in (
        ("I think A or B", "option", "B", ""),
        ("The answer is seven, not 8 or 9.", "number", "8", "7"),
    ):
        assert find_answer(text, answer_type(kind), "kojima", few_shot=True) == published
        assert find_answer(text, answer_type(kind), few_shot=True) == ours


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


@given(st.text(), st.sampled_from(KINDS), st.sampled_from(RULES[:2]), st.booleans())
def test_any_text_has_an_answer_of_its_type_or_none(text: str, kind: str, rule: str, few_shot: bool) -> None:
    found = find_answer(text, answer_type(kind), rule, few_shot=few_shot)
    if kind == "yes_no":
        assert found in ("", "yes", "no")
    elif kind == "option:C":
        assert found in ("", "A", "B", "C")
    elif kind == "number":
        assert found == "" or Fraction(found.rstrip(".")) is not None


def test_spelling_of_equal_answers() -> None:
    assert spelled_as("7.0", answer_type("number"), ("8", "7")) == "7"
    assert spelled_as("1234", answer_type("number"), ("1,234",)) == "1,234"
    assert spelled_as("C", answer_type("option"), ("(B)", "(C)")) == "(C)"
    assert spelled_as("no", answer_type("yes_no"), ("Yes", "No")) == "No"
    assert spelled_as("9", answer_type("number"), ("8",)) == "9"
    assert spelled_as("", answer_type("text"), ("",)) == ""


@pytest.mark.parametrize(
    ("targets", "kind"),
    [(("1", "-2,000"), "number"), (("Yes", "No"), "yes_no"), (("05/01/2021",), "date"), (("Ann",), "text")],
)
def test_type_of_a_task(targets: tuple[str, ...], kind: str) -> None:
    assert infer_type([Example(target, "?", (target,)) for target in targets]) == answer_type(kind)


def test_the_range_of_letters_is_what_questions_list_and_never_the_targets() -> None:
    listing = [Example(str(at), "Which? (A) a (B) b (C) c (D) d", (target,)) for at, target in enumerate("AB")]
    assert infer_type(listing) == answer_type("option:D")
    assert infer_type([Example("a", "?", (), ("(A)", "(C)"), (1.0, 0.0))]) == answer_type("option:C")
    unlisted = infer_type([Example("a", "?", ("(A)",)), Example("b", "?", ("(F)",))])
    assert (unlisted.name, unlisted.last, unlisted.trigger) == ("option", "", "Therefore, the answer is")
    assert find_answer("(G)", unlisted) == "G"


def test_a_stray_target_of_another_kind_does_not_decide() -> None:
    letters = [Example(str(at), "?", ("(A)",)) for at in range(60)]
    assert infer_type([*letters, Example("x", "?", ("Paris",))]).name == "option"
    assert infer_type([*letters[:10], Example("x", "?", ("Paris",))]).name == "text"


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


def test_default_rules_score_every_bbh_chain_as_published(shared: Path) -> None:
    folder = shared / "data" / "bbh"
    stored = sorted((folder / "codex-outputs" / "cot").glob("*_eval_metrics.jsonl"))
    assert len(stored) == 14
    for metrics in stored:
        published = json.loads(metrics.read_text())["accuracy"]
        raw = json.loads(metrics.with_name(metrics.name.replace("_eval_metrics.jsonl", ".json")).read_text())["outputs"]
        (task,) = load_tasks(f"bbh:{folder}/{metrics.name.partition('_few_shot')[0]}")
        right = 0
        for example, record in zip(task.examples, [one for one in raw if isinstance(one, dict)], strict=True):
            question = Question(task, FewShotExample(example), frozenset({"text"}))
            right += respond(question, record["prediction"], type_of(question), few_shot=True) == example.targets[0]
        assert 100 * right / len(task.examples) == pytest.approx(published, abs=1e-9), metrics.name
