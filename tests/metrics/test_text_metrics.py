"""Metrics of responses and of targets at their edges, by hand."""

import math

import pytest

from scalecurve.metrics import aggregate, score
from scalecurve.types import Answer, Example, Harness, Task

TASK = Task("t", (), ("exact_match",), "exact_match")
TEXT = (
    "exact_match", "exact_str_match", "case_insensitive_str_match", "numeric_match_with_0_1_relative_error",
    "extraction_rate", "edit_similarity", "bleu", "rouge1", "rouge2", "rougeLsum", "sequence_f1",
)  # fmt: skip


def said(response: str | None, text: str | None = "") -> Answer:
    return Answer("e", "", text=text, response=response)


def value(name: str, response: str | None, *targets: str, task: Task = TASK) -> float | None:
    return score(task, Example("e", "x", targets), said(response), name)


@pytest.mark.parametrize("name", TEXT)
def test_a_text_without_an_answer_is_wrong_and_no_text_is_nothing(name: str) -> None:
    assert value(name, None, "7 a b c") == 0
    assert score(TASK, Example("e", "x", ("7",)), said(None, None), name) is None
    assert score(TASK, Example("e", "x", ("7",)), said("7", None), name) is None


def test_any_target_will_do() -> None:
    for name in ("exact_match", "exact_str_match", "case_insensitive_str_match"):
        assert [value(name, one, "a", "b") for one in ("a", "b", "c")] == [1, 1, 0]
    assert value("case_insensitive_str_match", " PARIS\n", "x", "Paris ") == 1
    assert value("exact_match", "PARIS", "Paris") == 0


def test_the_harness_disregards_what_it_was_told_to() -> None:
    task = Task(
        "t", (), ("exact_match",), "exact_match", harness=Harness("generate_until", ignore={"ignore_case": True})
    )
    assert value("exact_match", "PARIS", "x", "Paris", task=task) == 1
    assert value("exact_match", "PARIS.", "x", "Paris", task=task) == 0
    strict = Task("t", (), ("exact_match",), "exact_match", harness=Harness("generate_until"))
    assert value("exact_match", "PARIS", "Paris", task=strict) == 0
    assert score(task, Example("e", "x", ("a",)), said("a", None), "exact_match") is None


def test_repaired_answers_are_compared_without_outer_blanks() -> None:
    repaired = Task("t", (), ("exact_match",), "exact_match", flags=("corrected:structural_zeros",))
    assert value("exact_match", "Paris", " Paris ", task=repaired) == 1
    assert value("exact_match", "Paris", " Paris ") == 0


def test_closeness_to_the_best_target() -> None:
    assert value("edit_similarity", " abxd", "zzzz", "abcd ") == 0.75
    assert value("edit_similarity", "ab", "abcd") == 0.5
    assert value("rouge1", "the cat", "dogs bark", "the cat sat") == pytest.approx(80)
    assert value("rougeLsum", "a b . c d", "c d . a b") == pytest.approx(100)  # sentence by sentence
    assert value("rougeLsum", "a b c d", "c d a b") == pytest.approx(50)
    assert value("rouge1", "running dogs", "run dog") == 0  # no stemming
    assert value("rouge2", "the cat sat", "the cat sat") == pytest.approx(100)


def test_token_accuracy_is_by_place() -> None:
    assert value("sequence_f1", "A X C", "A B C") == pytest.approx(200 / 3)
    assert value("sequence_f1", "A B C D E", "A B C") == pytest.approx(100)
    assert value("sequence_f1", "A", "A O O") == pytest.approx(100)  # padded with O
    assert value("sequence_f1", "A  B", "A B") == pytest.approx(50)  # split at every space
    assert value("sequence_f1", "X", "A", "X") == 0  # the first target


def test_bleu_of_the_leaf_counts_over_all_examples() -> None:
    from sacrebleu import corpus_bleu

    spoken, targets = ["the cat sat on the mat today", "", "a dog"], ["the cat sat on a mat today", "hm", "a big dog"]
    examples, answers = [Example("e", "x", (t,)) for t in targets], [said(s) for s in spoken]
    want = corpus_bleu(spoken, [targets], tokenize="intl", smooth_method="exp").score
    assert aggregate(TASK, "bleu", examples, answers)[0] == pytest.approx(want)
    unread = [*answers, said("x", None)]
    assert aggregate(TASK, "bleu", [*examples, examples[0]], unread)[::2] == (pytest.approx(want), 3)
    punctuated = corpus_bleu(["so, it is."], [["so , it is ."]], tokenize="intl", smooth_method="exp").score
    assert aggregate(TASK, "bleu", [Example("e", "x", ("so , it is .",))], [said("so, it is.")])[0] == punctuated


# ── Targets ──────────────────────────────────────────────────────────────────────────────────────────────────
def likely(*logprobs: float) -> Answer:
    return Answer("e", "", target_logprobs=logprobs)


def test_log_probabilities_of_targets() -> None:
    two, one = Example("e", "x", ("ab cd", "e")), Example("e", "x", ("ab cd",))
    assert score(TASK, two, likely(-2.0, -3.0), "target_logprob") == -2
    assert score(TASK, two, likely(-2.0, -3.0), "log_likelihood") == pytest.approx(
        math.log(math.exp(-2) + math.exp(-3))
    )
    assert score(TASK, two, likely(-2000.0, -2000.0), "log_likelihood") == pytest.approx(-2000 + math.log(2))
    assert score(TASK, two, likely(-2.0, -math.inf), "log_likelihood") == -2
    for name, units in (("log_likelihood_per_word", 2), ("log_likelihood_per_char", 5)):
        assert score(TASK, one, likely(-3.0), name) == -3 / units
        assert score(TASK, two, likely(-2.0, -3.0), name) is None
        assert score(TASK, Example("e", "x", ("",)), likely(-3.0), name) is None
    for name in ("target_logprob", "log_likelihood", "log_likelihood_per_word", "sequence_loss"):
        assert score(TASK, one, likely(), name) is None
        assert score(TASK, one, likely(-1.0, math.nan), name) is None
        assert score(TASK, one, likely(-math.inf), name) is None


def test_bits_for_each_byte_of_the_right_answer() -> None:
    bits = math.log(2)
    assert score(TASK, Example("e", "x", ("abcd",)), likely(-8 * bits), "bits_per_byte") == pytest.approx(2)
    assert score(TASK, Example("e", "x", ("é",)), likely(-8 * bits), "bits_per_byte") == pytest.approx(4)  # two bytes
    two = Example("e", "x", ("ab", "abcdefgh"))
    assert score(TASK, two, likely(-4 * bits, -8 * bits), "bits_per_byte") == pytest.approx(2)  # of the likelier one
    chosen = Example("e", "x", ("ab",), ("ab", "abcd", "wrong"), (1.0, 1.0, 0.0))
    answer = Answer("e", "", option_logprobs=(-8 * bits, -4 * bits, -0.1))
    assert score(TASK, chosen, answer, "bits_per_byte") == pytest.approx(1)
    assert score(TASK, Example("e", "x", ("",)), likely(-1.0), "bits_per_byte") is None
    for nothing in (likely(), likely(math.nan), likely(-math.inf)):
        assert score(TASK, two, nothing, "bits_per_byte") is None


def test_the_target_of_scored_options_is_the_likeliest_of_the_best() -> None:
    example = Example("e", "x", ("a",), ("a", "b", "c"), (1.0, 1.0, 0.0))
    answer = Answer("e", "", option_logprobs=(-2.0, -1.5, -0.1), target_logprobs=(-9.0,))
    assert score(TASK, example, answer, "target_logprob") == -1.5
    assert score(TASK, example, answer, "sequence_loss") == 1.5
    assert score(TASK, example, answer, "log_likelihood") == -9


# ── Numbers ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("response", "target", "error"),
    [
        ("12", "10", 0.2),
        ("8", "-10", 1.8),
        ("-12", "-10", 0.2),
        ("about 1,250.5 or 7", "1000", 0.2505),
        ("3", "0", 3.0),
        ("none", "10", None),
        ("5", "many", None),
        (None, "10", None),
        ("", "10", None),
    ],
)
def test_relative_errors(response: str | None, target: str, error: float | None) -> None:
    assert value("relative_error", response, target) == (None if error is None else pytest.approx(error))


@pytest.mark.parametrize(
    ("response", "anchor", "pull"),
    [("15", "20", 0.5), ("10", "20", 0), ("20", "20", 1), ("5", 20, -0.5), ("15", "none", None), ("15", None, None),
     ("15", "10", None), ("much", "20", None)],
)  # fmt: skip
def test_the_pull_of_an_anchor(response: str, anchor: object, pull: float | None) -> None:
    metadata = {} if anchor is None else {"anchor": anchor}
    assert score(TASK, Example("e", "x", ("10",), metadata=metadata), said(response), "anchor_pull") == pull
    assert score(TASK, Example("e", "x", ("x",), metadata=metadata), said(response), "anchor_pull") is None
