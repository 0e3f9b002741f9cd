"""What each metric declares, how one is found by name, and how scores become a task's value."""

import math
import sys

import numpy as np
import pytest

from scalecurve.errors import UserError
from scalecurve.metrics import METRICS, Corpus, Metric, aggregate, bounds, get_metric, held, metric, refusal, score
from scalecurve.metrics.registry import _METRICS, TEXT, summary
from scalecurve.types import Answer, Example, Harness, Task

INF = math.inf
# name: (low, high, higher is better, what it needs), then its kinds: c of the whole leaf (corpus), u unbounded,
# b zero or one, p of some examples only (partial). Ranges of BIG-bench's metrics are those of its normalisation.
DECLARED = {
    "abstention_accuracy": (0, 1, True, "text", "bp"),
    "abstention_precision": (0, 1, True, "", "bp"),
    "abstention_recall": (0, 1, True, "", "bp"),
    "acc": (0, 1, True, "options", "b"),
    "acc_bytes": (0, 1, True, "options", "b"),
    "acc_norm": (0, 1, True, "options", "b"),
    "anchor_pull": (-INF, INF, False, "text", "u"),
    "answerable_accuracy": (0, 1, True, "text", "bp"),
    "bits_per_byte": (0, INF, False, "targets", "u"),
    "bleu": (0, 100, True, "text", "c"),
    "bleurt": (-0.1, 1.1, True, "text", "u"),
    "brier": (0, 2, False, "options", ""),
    "brier_score": (0, 2, False, "options", ""),
    "calibration_multiple_choice_brier_score": (0, 1, False, "options", "c"),
    "case_insensitive_str_match": (0, 1, True, "text", "b"),
    "class_coverage": (0, 1, True, "options", ""),
    "classification_loss": (0, INF, False, "options", ""),
    "correct_logprob": (-10, 0, True, "options", "u"),
    "edit_similarity": (0, 1, True, "text", ""),
    "exact_match": (0, 1, True, "text", "b"),
    "exact_str_match": (0, 1, True, "text", "b"),
    "expected_calibration_error": (0, 1, False, "options", "c"),
    "extraction_rate": (0, 1, True, "text", ""),
    "false_refusal_rate": (0, 1, False, "", "bp"),
    "garbage_in_rate": (0, 1, False, "text", "bp"),
    "gate_auroc": (0, 1, True, "", "cp"),
    "log_likelihood": (-10, 0, True, "targets", "u"),
    "log_likelihood_per_char": (-10, 0, True, "targets", "u"),
    "log_likelihood_per_word": (-10, 0, True, "targets", "u"),
    "log_odds": (-INF, INF, True, "options", "u"),
    "macro_f1": (0, 1, True, "options", "c"),
    "multiple_choice_grade": (0, 1, True, "options", "b"),
    "numeric_match_with_0_1_relative_error": (0, 1, True, "text", "b"),
    "option_probability": (0, 1, True, "options", ""),
    "perplexity": (1, INF, False, "options", "cu"),
    "relative_error": (0, INF, False, "text", "u"),
    "rouge1": (0, 100, True, "text", ""),
    "rouge2": (0, 100, True, "text", ""),
    "rougeLsum": (0, 100, True, "text", ""),
    "selective_accuracy": (0, 1, True, "text", "bp"),
    "sequence_f1": (0, 100, True, "text", ""),
    "sequence_loss": (0, INF, False, "targets", "u"),
    "target_logprob": (-10, 0, True, "targets", "u"),
    "twin_accuracy": (0, 1, True, "", "cp"),
    "weighted_log_probabilities": (-10, 0, True, "options", "u"),
    "weighted_probabilities": (-1, 1, True, "options", ""),
    "wrong_logprob": (-10, 0, False, "options", "u"),
}
TASK = Task("t", (), ("exact_match",), "exact_match")
RIGHT, WRONG = (Answer("e", "", text=said, response=said) for said in ("a", "b"))
EXAMPLE = Example("e", "x", ("a",))


@pytest.mark.parametrize("name", DECLARED)
def test_what_a_metric_declares(name: str) -> None:
    low, high, better, needs, kinds = DECLARED[name]
    one = _METRICS[name]
    assert (one.name, one.low, one.high, one.higher_is_better, set(one.needs)) == (
        name,
        low,
        high,
        better,
        {*needs.split()},
    )
    assert (one.corpus, not one.bounded, one.binary, one.partial) == tuple(kind in kinds for kind in "cubp")
    assert one.chance == (0.5 if name in ("gate_auroc", "twin_accuracy") else None)
    assert one.description.endswith(".")
    assert "\n" not in one.description


def test_metrics_come_in_alphabetical_order_and_none_has_gone() -> None:
    assert list(METRICS) == sorted(METRICS)
    assert set(METRICS) >= set(DECLARED) - {"bleurt"}, "one that is added needs no line here"


def test_a_metric_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalecurve.metrics.registry._METRICS", found := {})

    @metric("mine", needs=TEXT)
    def mine(task: Task, example: Example, answer: Answer) -> float:
        """How good.

        More of it.
        """
        return 1.0

    metric("bare", -1.0, 2.0, needs=TEXT, unavailable=lambda: "away")(lambda task, example, answer: None)
    assert found["mine"] == Metric("mine", 0.0, 1.0, True, TEXT, mine, unavailable=found["mine"].unavailable,
                                   description="How good.")  # fmt: skip
    assert found["mine"].unavailable() == ""
    assert (found["bare"].description, found["bare"].unavailable()) == ("", "away")


def test_names_that_are_not_there() -> None:
    with pytest.raises(UserError) as refused:
        get_metric("exact_mach")
    assert str(refused.value).startswith("metrics: unknown metric 'exact_mach'; use exact_match or ")
    assert str(refused.value).count(" or ") <= 2
    with pytest.raises(UserError) as refused:
        get_metric("0" * 30)
    assert str(refused.value) == f"metrics: unknown metric '{'0' * 30}'; `scalecurve metrics list` shows all"
    assert refusal("exact_mach") == refusal("exact_match") == ""


def test_bleurt_wants_a_package_and_a_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from scalecurve.metrics import bleurt

    monkeypatch.delitem(sys.modules, "bleurt", raising=False)
    monkeypatch.delenv(bleurt.CHECKPOINT, raising=False)
    (tmp_path / "bleurt").mkdir()
    (tmp_path / "bleurt" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    lacks = (
        "needs the folder of the checkpoint BLEURT-20 in the environment variable BLEURT_CHECKPOINT; or leave it out"
    )
    assert bleurt.refusal() == lacks
    monkeypatch.setenv("BLEURT_CHECKPOINT", str(tmp_path))
    assert bleurt.refusal() == ""


# ── What an answer holds ─────────────────────────────────────────────────────────────────────────────────────
OPTIONS = Example("e", "x", ("a",), ("a", "b"), (1.0, 0.0))


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (Answer("e", ""), set()),
        (Answer("e", "", text=""), {"text"}),
        (Answer("e", "", target_logprobs=(-1.0,)), {"targets"}),
        (Answer("e", "", option_logprobs=(-1.0, -2.0)), {"options", "targets"}),
        (Answer("e", "", options=("a", "b"), option_logprobs=(-1.0, -2.0)), {"options", "targets"}),
        (Answer("e", "", options=("yes", "no"), option_logprobs=(-1.0, -2.0)), set()),  # a gate's verdicts
        (Answer("e", "", options=("yes", "no"), option_logprobs=(-1.0, -2.0), target_logprobs=(-1.0,)), {"targets"}),
        (Answer("e", "", options=("a", "b")), set()),
    ],
)
def test_what_an_answer_holds(answer: Answer, parts: set[str]) -> None:
    assert held(OPTIONS, answer) == parts


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_failed_and_infinite_scores_are_none() -> None:
    assert score(TASK, EXAMPLE, RIGHT, "exact_match") == 1
    assert score(TASK, EXAMPLE, Answer("e", "", text="a", response="a", error="away"), "exact_match") is None
    assert score(TASK, EXAMPLE, Answer("e", "", target_logprobs=(-INF,)), "log_likelihood") is None
    assert score(TASK, EXAMPLE, Answer("e", "", target_logprobs=(-2.0,)), "log_likelihood") == -2


def test_a_metric_of_the_leaf_scores_one_example_alone() -> None:
    chances = Answer("e", "", option_logprobs=(math.log(0.8), math.log(0.2)))
    assert score(TASK, OPTIONS, chances, "expected_calibration_error") == pytest.approx(0.2)
    assert score(TASK, OPTIONS, Answer("e", ""), "expected_calibration_error") is None
    assert score(TASK, OPTIONS, Answer("e", "", option_logprobs=(-0.5, -9.0)), "perplexity") == pytest.approx(
        math.exp(0.5)
    )


@pytest.mark.parametrize(
    ("name", "scores", "expected"),
    [
        ("exact_match", [1.0, 1.0, None, 0.0, 0.0], (0.5, 1 / 12**0.5, 4)),
        ("exact_match", [1.0], (1.0, 1.0, 1)),
        ("exact_match", [1.0, 1.0], (1.0, 0.5, 2)),
        ("exact_match", [0.5, 0.5, 0.5, 0.5], (0.5, 0.25, 4)),
        ("brier", [0.5, 0.9], (0.7, 0.2, 2)),
        ("brier", [0.5, 0.5], (0.5, 0.0, 2)),
        ("brier", [0.5], (0.5, None, 1)),
        ("brier", [None], (None, None, 0)),
        ("brier", [], (None, None, 0)),
    ],
)
def test_means_and_their_errors(name: str, scores: list[float | None], expected: tuple) -> None:
    assert summary(name, scores) == pytest.approx(expected)


def chances(*p: float) -> Answer:
    return Answer("e", "", option_logprobs=tuple(map(math.log, p)))


def test_the_error_of_a_leafs_metric_is_a_bootstrap_over_its_examples() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, 60)
    answers = [chances(v, 1 - v) for v in p]
    value, se, n = aggregate(TASK, "calibration_multiple_choice_brier_score", [OPTIONS] * 60, answers, replicates=4000)
    assert (value, n) == (pytest.approx(((1 - p) ** 2).mean()), 60)
    assert se == pytest.approx(((1 - p) ** 2).std() / 60**0.5, rel=0.05)  # a mean, here: its error is known
    again = aggregate(TASK, "calibration_multiple_choice_brier_score", [OPTIONS] * 60, answers, replicates=4000)
    assert again == (value, se, n)
    default = aggregate(TASK, "calibration_multiple_choice_brier_score", [OPTIONS] * 60, answers)
    assert default == aggregate(
        TASK, "calibration_multiple_choice_brier_score", [OPTIONS] * 60, answers, replicates=200
    )


def test_examples_without_an_answer_are_left_out_of_the_leaf() -> None:
    name, right = "calibration_multiple_choice_brier_score", chances(0.8, 0.2)
    mixed = [right, Answer("e", ""), Answer("e", "", option_logprobs=(-1.0, -2.0), error="away"), right]
    value, se, n = aggregate(TASK, name, [OPTIONS] * 4, mixed)
    assert (value, se, n) == (pytest.approx(0.04), pytest.approx(0, abs=1e-12), 2)
    assert aggregate(TASK, name, [OPTIONS] * 2, mixed[1:3]) == (None, None, 0)
    assert aggregate(TASK, name, [OPTIONS], [right]) == (pytest.approx(0.04), None, 1)
    assert aggregate(TASK, name, [OPTIONS], mixed[2:3]) == (None, None, 0)
    assert aggregate(TASK, name, [], []) == (None, None, 0)


def test_clusters_are_drawn_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def clustered(task: Task, examples: list[Example], answers: list[Answer]) -> Corpus:
        rows = np.array([[float(a.response or "nan"), 1.0] for a in answers])
        return Corpus(rows, lambda total: float(total[0] / total[1]), [e.id for e in examples])

    monkeypatch.setattr("scalecurve.metrics.registry._METRICS", {})
    metric("clustered", needs=TEXT, corpus=True)(clustered)
    own = Metric("clustered", 0.0, 1.0, True, TEXT, clustered, corpus=True)
    monkeypatch.setattr("scalecurve.metrics.registry.get_metric", lambda name: own)
    values = [("b", "0"), ("a", "1"), ("b", "0"), ("a", "1"), ("c", None)]
    examples = [Example(label, "", ("x",)) for label, _ in values]
    answers = [Answer("e", "", text="", response=said) for _, said in values]
    value, se, n = aggregate(TASK, "clustered", examples, answers, replicates=4000)
    assert (value, n) == (0.5, 4)
    assert se == pytest.approx(8**-0.5, rel=0.05)  # two clusters, not four items: √(¼/2)
    assert aggregate(TASK, "clustered", examples[1:4:2], answers[1:4:2])[1] is None  # one cluster says nothing


# ── Bounds ───────────────────────────────────────────────────────────────────────────────────────────────────
FOUR = Example("f", "x", ("a",), ("a", "b", "c", "d"), (1.0, 0.0, 0.5, 0.0))
CHOICE = Task("t", (OPTIONS, FOUR), ("multiple_choice_grade",), "multiple_choice_grade", chance=0.4375)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multiple_choice_grade", (0.4375, 1)),
        ("acc", (0.4375, 1)),
        ("acc_norm", (0.4375, 1)),
        ("acc_bytes", (0.4375, 1)),
        ("option_probability", (0.375, 1)),
        ("classification_loss", ((math.log(2) + math.log(4)) / 2, 0)),
        ("brier", ((0.5 + (2 / 3 - 1 / 4) ** 2 + (1 / 3 - 1 / 4) ** 2 + 2 / 16) / 2, 0)),
        ("calibration_multiple_choice_brier_score", (None, 0)),
        ("expected_calibration_error", (None, 0)),
        ("macro_f1", (None, 1)),
        ("class_coverage", (None, 1)),
        ("weighted_probabilities", (None, 1)),
        ("exact_match", (0, 1)),
        ("bleu", (0, 100)),
        ("gate_auroc", (0.5, 1)),
        ("false_refusal_rate", (None, 0)),
        ("abstention_recall", (None, 1)),
        ("perplexity", (None, None)),
        ("log_odds", (None, None)),
    ],
)
def test_chance_and_ceiling(name: str, expected: tuple[float | None, float | None]) -> None:
    if name == "calibration_multiple_choice_brier_score":  # even chances, over all six options
        t = [1, 0, 2 / 3, 0, 1 / 3, 0]
        p = [1 / 2] * 2 + [1 / 4] * 4
        expected = (sum(a * (b - 1) ** 2 + (1 - a) * b**2 for a, b in zip(t, p, strict=True)) / 6, 0)
    assert bounds(CHOICE, name) == pytest.approx(expected)


def test_bounds_of_the_preferred_metric_are_those_of_the_task() -> None:
    corrected = Task("t", (OPTIONS,), ("multiple_choice_grade",), "multiple_choice_grade", chance=0.3, ceiling=0.6)
    assert bounds(corrected, "multiple_choice_grade") == (0.3, 0.6)
    assert bounds(corrected, "acc") == (0.5, 1)
    plain = Task("t", (EXAMPLE,), ("bleu",), "bleu", chance=2.0)
    assert bounds(plain, "bleu") == (2, 100)
    assert bounds(plain, "acc") == (0, 1)
    other = Task("t", (OPTIONS, FOUR), ("acc",), "exact_match")
    assert bounds(other, "multiple_choice_grade") == (pytest.approx(0.4375), 1)
    assert bounds(plain, "brier") == (None, 0)
    cloze = Task("t", (OPTIONS,), ("acc",), "perplexity", harness=Harness("loglikelihood"))
    assert bounds(cloze, "acc") == (0, 1)
    choice = Task("t", (OPTIONS,), ("acc",), "perplexity", harness=Harness("multiple_choice"))
    assert bounds(choice, "acc") == (0.5, 1)
