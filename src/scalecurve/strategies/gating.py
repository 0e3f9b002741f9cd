"""The answerability gate: can this question be answered at all? Scored, not generated, before any reasoning.

A short dialogue gives questions a verdict; the model scores the verdicts of one more (after an idea of N. Cammarata,
2020, who let it write either an answer or a fixed dismissal). The margin is log P(answerable) minus the log of the
summed probability of the other verdicts. Margins rank well before they are calibrated, so that a threshold is fitted
for each model, on items that are then not used to judge it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from scalecurve.errors import UserError
from scalecurve.types import Output, Request

ANSWERABLE, UNANSWERABLE, UNDERSPECIFIED, UNKNOWABLE = "answerable", "unanswerable", "underspecified", "unknowable"
LABELS = (ANSWERABLE, UNANSWERABLE, UNDERSPECIFIED, UNKNOWABLE)
ABSTAINED = "abstained"
"""The flag of an answer that was not given."""

INTRODUCTION = """Each question gets a verdict.
answerable: it makes sense and can be answered.
unanswerable: it makes no sense, or it supposes something false.
underspecified: something that is needed to answer it is missing.
unknowable: nobody can know the answer.
"""
ALMOST_ONE = -(2.0**-24)  # the log of the probability next to 1 in float32


@dataclass(frozen=True, slots=True)
class GateShot:
    """A question shown with its verdict, one of ``LABELS``."""

    question: str
    label: str


DEFAULT_SHOTS = (
    GateShot("A box holds 6 eggs. How many eggs do 4 boxes hold?", ANSWERABLE),
    GateShot("Which planet is nearest to the Sun?", ANSWERABLE),
    GateShot("Nina had 15 stamps and gave 7 of them away. How many stamps does she have left?", ANSWERABLE),
    GateShot("What is the opposite of 'early'?", ANSWERABLE),
    GateShot("A bus carries children and 12 adults. How many people does the bus carry?", UNDERSPECIFIED),
    GateShot("How many litres of yellow does a Tuesday weigh?", UNANSWERABLE),
    GateShot("When was the king of the Moon crowned?", UNANSWERABLE),
    GateShot("Which number will a stranger think of tomorrow at noon?", UNKNOWABLE),
)


def gate_request(text: str, *, shots: Sequence[GateShot] = DEFAULT_SHOTS, seed: int = 0) -> Request:
    """The request whose options are the verdicts on the question ``text``, in the order of ``LABELS``.

    Answerable shots and others alternate; ``seed`` shuffles either kind and draws which comes first, the same for all
    questions, so that they share a prefix. A shot that is ``text`` itself is left out.
    """
    asked = text.strip()
    shown = [f"Question: {shot.question}\nVerdict: {shot.label}\n" for shot in _alternating(shots, asked, seed)]
    prompt = "\n".join([INTRODUCTION, *shown, f"Question: {asked}\nVerdict:"])
    return Request(prompt, options=tuple(f" {label}" for label in LABELS))


def dismissal_request(prompt: str, dismissal: str) -> Request:
    """The gate of a model that has learnt what to say to a question without an answer: scores only ``dismissal``.

    ``prompt`` is the question as it is asked anyway. The verdict is whatever else the model might say, against this.
    """
    return Request(prompt, options=(dismissal,))


def gate_margin(output: Output) -> float:
    """log P(answerable) − log Σ P(other verdicts), in nats; after ``dismissal_request`` log (1 − P) − log P.

    At least −16.7 in the second case: a probability nearer to 1 than float32 can tell is taken as the nearest it can.
    """
    if len(output.logprobs) == 1:
        dismissal = min(float(output.logprobs[0]), ALMOST_ONE)
        return math.log(-math.expm1(dismissal)) - dismissal if math.isfinite(dismissal) else math.inf
    answerable, *others = map(float, output.logprobs)
    top = max(others)
    if math.isinf(top):
        return math.inf if math.isfinite(answerable) else math.nan
    return answerable - top - math.log(math.fsum(math.exp(other - top) for other in others))


def gate_label(output: Output) -> str:
    """The verdict of highest probability, the first of equals; of two, ``answerable`` and ``unanswerable``."""
    if len(output.logprobs) == 1:
        return ANSWERABLE if gate_margin(output) > 0 else UNANSWERABLE
    return LABELS[max(range(len(LABELS)), key=output.logprobs.__getitem__)]


# ── The threshold ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class GateThreshold:
    """Questions with a margin above ``value`` are let through. The rates are those of the ``n`` items it was fitted on.

    ``false_refusal`` is the share of answerable questions refused, ``recall`` that of the others refused.
    """

    value: float
    false_refusal: float
    recall: float
    n: int

    @property
    def balanced_accuracy(self) -> float:
        return (1 - self.false_refusal + self.recall) / 2

    def accepts(self, margin: float) -> bool:
        return margin > self.value


def fit_threshold(
    margins: Sequence[float], answerable: Sequence[bool], *, false_refusal: float | None = None
) -> GateThreshold:
    """The threshold of greatest balanced accuracy, or the strictest that refuses at most a share of the answerable.

    Of equals, the one that refuses least. Candidates lie midway between neighbouring margins, and just below all of
    them. ``UserError`` without one finite margin of either kind, or when ``false_refusal`` is no share.
    """
    if false_refusal is not None and not 0 <= false_refusal <= 1:
        raise UserError(f"false_refusal: {false_refusal} is no share; use 0 to 1")
    items = sorted((m, bool(yes)) for m, yes in zip(margins, answerable, strict=True) if math.isfinite(m))
    n_yes = sum(yes for _, yes in items)
    n_no = len(items) - n_yes
    if not n_yes or not n_no:
        raise UserError("gate: a threshold is fitted on answerable and unanswerable items; give some of either kind")
    best = GateThreshold(items[0][0] - 1.0, 0.0, 0.0, len(items))
    refused = [0, 0]  # unanswerable, answerable
    for at, (margin, yes) in enumerate(items):
        refused[yes] += 1
        following = items[at + 1][0] if at + 1 < len(items) else margin + 2.0
        if following == margin:
            continue
        one = GateThreshold((margin + following) / 2, refused[True] / n_yes, refused[False] / n_no, len(items))
        if false_refusal is None:
            best = max(best, one, key=lambda t: t.balanced_accuracy)
        elif one.false_refusal <= false_refusal and one.recall > best.recall:
            best = one
    return best


def _alternating(shots: Sequence[GateShot], asked: str, seed: int) -> list[GateShot]:
    """The shots but for ``asked``, of either kind in turn for as long as there are both."""
    rng = random.Random(f"gate|{seed}")
    kinds: tuple[list[GateShot], list[GateShot]] = ([], [])
    for shot in shots:
        if shot.label not in LABELS:
            raise UserError(f"gate: shot {shot.question[:40]!r}: label {shot.label!r}: use {', '.join(LABELS)}")
        kinds[shot.label == ANSWERABLE].append(shot)
    for kind in kinds:
        rng.shuffle(kind)
    first, second = (kinds[0], kinds[1]) if rng.random() < 0.5 else (kinds[1], kinds[0])
    longest = max(len(first), len(second))
    order = [kind[at] for at in range(longest) for kind in (first, second) if at < len(kind)]
    return [shot for shot in order if shot.question.strip() != asked]
