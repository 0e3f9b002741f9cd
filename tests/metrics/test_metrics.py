"""Metrics against the specification's vectors and values worked out by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.metrics import METRICS, aggregate, bounds, needed, score
from scalecurve.metrics.choice import tie_rule
from scalecurve.tasks.postprocess import DEFAULT_REGEX, postprocess
from scalecurve.types import Answer, Example, Postprocess, Task

TASK = Task("t", (), ("exact_str_match",), "exact_str_match")
NUMERIC = "numeric_match_with_0_1_relative_error"


def graded(*scores: float) -> Example:
    return Example("e", "x", ("a",), tuple("abcdefgh"[: len(scores)]), scores)


def chances(*p: float) -> Answer:
    return Answer("e", "", option_logprobs=tuple(math.log(v) - 3.0 for v in p))


def said(response: str | None) -> Answer:
    return Answer("e", "", text=response or "", response=response)


def value(metric: str, target: str, response: str | None, task: Task = TASK) -> float | None:
    return score(task, Example("e", "x", (target,)), said(response), metric)


@pytest.mark.parametrize(
    ("values", "winner"),
    [
        ([0, 0], 1),
        ([-1, -1], 0),
        ([-2, -2], 1),
        ([-5, -5], 0),
        ([-1, -1, -2], 1),
        ([-2, -1, -1], 1),
        ([0, 0, 0], 2),
        ([-1, -1, -1], 2),
        ([0, 0, 0, 0], 1),
        ([-1, -1, -1, -1], 0),
    ],
)
def test_ties_are_broken_by_hash(values: list[float], winner: int) -> None:
    assert tie_rule(values) == winner


@pytest.mark.parametrize(
    ("rules", "text", "response"),
    [
        (Postprocess(DEFAULT_REGEX), " Paris. It", " Paris"),
        (Postprocess(DEFAULT_REGEX), "\nParis", "Paris"),
        (Postprocess(DEFAULT_REGEX), "Mr. Smith", "Mr"),
        (Postprocess(DEFAULT_REGEX), "3.14", "3"),
        (Postprocess(DEFAULT_REGEX), "...", ""),
        (Postprocess(None, "."), "a.b.c", "a."),
        (Postprocess(None, "."), ".a.b", ".a.b"),
        (Postprocess(None, "\n"), "x. y\nz", "x. y\n"),
        (Postprocess(""), "x. y\nz", "x. y\nz"),
        (Postprocess(r"\((\w)\)"), "so (B) it is", "B"),
    ],
)
def test_post_processing(rules: Postprocess, text: str, response: str) -> None:
    assert postprocess(text, rules) == response


def test_post_processing_cuts_characters_first() -> None:
    assert postprocess("abc.def", Postprocess(None, "."), max_length=2) == "ab"


def test_matches() -> None:
    spoken = ["Paris", " Paris", "Paris ", "paris", "Paris."]
    assert [value("exact_str_match", "Paris", s) for s in spoken] == [1, 0, 0, 0, 0]
    assert [value("exact_match", "Paris", s) for s in spoken] == [1, 0, 0, 0, 0]
    assert [value("case_insensitive_str_match", "Paris", s) for s in spoken] == [1, 1, 1, 1, 0]
    assert value("exact_match", "Paris", None) == 0


@pytest.mark.parametrize(
    ("target", "response", "match"),
    [
        ("10", "9", 1),
        ("10", "11", 1),
        ("10", "11.1", 0),
        ("0", "0.1", 1),
        ("0", "0.2", 0),
        ("10", " 10 ", 1),
        ("10", "10 km", 0),
        ("1", "1.1", 0),
        ("0.3", "0.33", 0),
        ("3", "3.3", 1),
        ("-5", "1000", 1),
        ("-5", "inf", 1),
        ("-5", "nan", 0),
        ("-5", "abc", 0),
    ],
)
def test_numeric_match(target: str, response: str, match: int) -> None:
    assert value(NUMERIC, target, response) == match
    repaired = replace(TASK, flags=("corrected:negative_targets",))
    assert value(NUMERIC, target, response, repaired) == (0 if target == "-5" else match)


def test_choice_vectors() -> None:
    examples, answers = [graded(1, 0), graded(0, 1, 0)], [chances(0.8, 0.2), chances(0.5, 0.3, 0.2)]
    want = {
        "multiple_choice_grade": 0.5,
        "calibration_multiple_choice_brier_score": 0.172,
        "expected_calibration_error": 0.35,
    }
    for metric, expected in want.items():
        assert aggregate(TASK, metric, examples, answers)[0] == pytest.approx(expected, abs=1e-12)
    plain = [Answer("e", "", option_logprobs=tuple(map(math.log, p))) for p in ((0.8, 0.2), (0.5, 0.3, 0.2))]
    assert aggregate(TASK, "weighted_probabilities", examples, plain)[0] == pytest.approx(0.55)
    both_right, answer = [graded(1, 1)], [chances(0.3, 0.7)]
    assert aggregate(TASK, "multiple_choice_grade", both_right, answer)[0] == 1
    assert aggregate(TASK, "calibration_multiple_choice_brier_score", both_right, answer)[0] == pytest.approx(0.29)
    assert aggregate(TASK, "expected_calibration_error", both_right, answer)[0] == pytest.approx(0.7)


def test_companions_by_hand() -> None:
    example, answer = graded(0, 1, 0), chances(0.5, 0.3, 0.2)
    assert score(TASK, example, answer, "option_probability") == pytest.approx(0.3)
    assert score(TASK, example, answer, "brier") == pytest.approx(0.25 + 0.49 + 0.04)
    assert score(TASK, example, answer, "correct_logprob") == pytest.approx(math.log(0.3) - 3)
    assert score(TASK, example, answer, "wrong_logprob") == pytest.approx(math.log(0.7) - 3)
    assert score(TASK, example, answer, "target_logprob") == pytest.approx(math.log(0.3) - 3)
    assert score(TASK, graded(1, 1), chances(0.3, 0.7), "wrong_logprob") is None


def test_log_likelihood() -> None:
    def mean(metric: str, values: list[tuple[float, ...]], targets: list[tuple[str, ...]]) -> float | None:
        examples = [Example("e", "x", t) for t in targets]
        return aggregate(TASK, metric, examples, [Answer("e", "", target_logprobs=v) for v in values])[0]

    assert mean("log_likelihood", [(-2, -3), (-1,)], [("a", "b"), ("c",)]) == pytest.approx(-1.343369, abs=1e-6)
    single = ([(-4.0,), (-6.0,)], [("ab cd",), ("xyz",)])
    assert mean("log_likelihood", *single) == -5
    assert mean("log_likelihood_per_word", *single) == -4
    assert mean("log_likelihood_per_char", *single) == pytest.approx(-1.4)
    assert mean("target_logprob", [(-2, -3)], [("a", "b")]) == -2


def test_text_metrics_by_hand() -> None:
    assert value("sequence_f1", "A B C D", "A B") == 50
    assert value("sequence_f1", "A O", "A B O") == 50
    assert value("edit_similarity", "abcd", " abxd ") == 0.75
    assert value("edit_similarity", "abcd", "") == 0
    assert value("extraction_rate", "a", None) == value("extraction_rate", "a", "") == 0
    assert value("extraction_rate", "a", "b") == 1
    # unigram precision 2/2, recall 2/3
    assert value("rouge1", "the cat sat", "the cat") == pytest.approx(80)
    assert value("rouge2", "the cat sat", "the cat") == pytest.approx(200 / 3)
    assert value("bleu", "the cat sat down", "the cat sat down") == pytest.approx(100)


def test_bleu_is_that_of_the_corpus_with_padded_references() -> None:
    from sacrebleu import corpus_bleu

    targets = [("the cat sat on the mat", "a cat sat"), ("dogs bark at night",)]
    spoken = ["the cat sat on a mat", "dogs bark in the night"]
    padded = [["the cat sat on the mat", "dogs bark at night"], ["a cat sat", "dogs bark at night"]]
    want = corpus_bleu(spoken, padded, tokenize="intl", smooth_method="exp").score
    examples = [Example("e", "x", t) for t in targets]
    got = aggregate(TASK, "bleu", examples, [said(s) for s in spoken])
    assert got[0] == pytest.approx(want, abs=1e-9)
    assert got[1] is not None
    assert got[1] > 0


def test_macro_f1() -> None:
    examples = [graded(1, 0), graded(1, 0), graded(0, 1)]
    answers = [chances(0.9, 0.1), chances(0.2, 0.8), chances(0.3, 0.7)]
    # a: precision 1, recall 1/2 → 2/3; b: precision 1/2, recall 1 → 2/3
    assert aggregate(TASK, "macro_f1", examples, answers)[0] == pytest.approx(2 / 3)


def test_what_cannot_be_computed_is_none_and_never_zero() -> None:
    example = graded(1, 0)
    for metric in METRICS:
        assert score(TASK, example, Answer("e", ""), metric) is None
        assert score(TASK, example, replace(chances(0.8, 0.2), error="down"), metric) is None
        assert aggregate(TASK, metric, [example], [Answer("e", "")]) == (None, None, 0)
    broken = Answer("e", "", option_logprobs=(math.nan, -1.0))
    assert score(TASK, example, broken, "multiple_choice_grade") is None
    impossible = Answer("e", "", option_logprobs=(-math.inf, -1.0))
    assert score(TASK, example, impossible, "multiple_choice_grade") == 0
    assert score(TASK, example, impossible, "correct_logprob") is None
    y, _, n = aggregate(TASK, "multiple_choice_grade", [example] * 2, [chances(0.8, 0.2), broken])
    assert (y, n) == (1, 1)


def test_standard_errors() -> None:
    example = Example("e", "x", ("a",))
    y, se, n = aggregate(TASK, "exact_match", [example] * 4, [said("b")] * 4)
    assert (y, se, n) == (0, 0.25, 4)  # √((1/4)/4): never certain after four examples
    y, se, n = aggregate(TASK, "exact_match", [example] * 4, [said("a"), said("b")] * 2)
    assert se == pytest.approx(math.sqrt(1 / 3 / 4))


def test_bounds() -> None:
    task = replace(
        TASK, examples=(graded(1, 0), graded(0, 1, 0, 0)), preferred_metric="multiple_choice_grade", chance=0.375
    )
    assert bounds(task, "multiple_choice_grade") == (0.375, 1.0)
    assert bounds(task, "option_probability") == pytest.approx((0.375, 1.0))
    assert bounds(task, "brier") == pytest.approx(((0.5 + 0.75) / 2, 0.0))
    assert bounds(task, "target_logprob") == (None, None)
    assert bounds(task, "exact_match") == (0.0, 1.0)
    assert bounds(task, "bleu") == (0.0, 100.0)


def test_needed_and_unknown_names() -> None:
    assert needed(["exact_match", "multiple_choice_grade", "target_logprob"]) == {"text", "options", "targets"}
    with pytest.raises(UserError, match="exact_match"):
        needed(["exact_mach"])


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=6), st.data())
def test_option_metrics_stay_in_their_range(logprobs: list[float], data: st.DataObject) -> None:
    right = data.draw(st.integers(0, len(logprobs) - 1))
    example = graded(*(float(at == right) for at in range(len(logprobs))))
    answer = Answer("e", "", option_logprobs=tuple(logprobs))
    for name, metric in METRICS.items():
        found = score(TASK, example, answer, name)
        if found is not None and metric.bounded:
            assert metric.low - 1e-12 <= found <= metric.high + 1e-12


def test_bleurt_says_what_it_lacks() -> None:
    from importlib.util import find_spec

    if find_spec("bleurt") is None:
        assert "bleurt" not in METRICS
        with pytest.raises(UserError, match=r"metrics: bleurt needs the package bleurt .*; or leave it out"):
            needed(["bleurt"])
    else:
        assert METRICS["bleurt"].high == 1.1
