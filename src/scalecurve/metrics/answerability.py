"""Metrics of knowing what cannot be answered, on examples that say so: ``metadata["answerable"]``, true or false.

A question is refused by the gate (flag ``abstained``) or by the model's own words. Each rate is over the examples it is
about: the answerable, the others, the refused or the answered ones. Examples that are variants of one problem share
``metadata["pair"]``; standard errors of corpus metrics draw whole pairs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from scalecurve.metrics.ranking import placements
from scalecurve.metrics.registry import TEXT, Corpus, metric
from scalecurve.tasks.postprocess import exact_match
from scalecurve.types import Answer, Example, Task

NOTHING: frozenset[str] = frozenset()
MARGIN, VERDICT, ABSTAINED = "margin:", "gate:", "abstained"

_WORDS = "unknown|unknowable|unanswerable|undetermined|indeterminate|underspecified"
_WORD = re.compile(rf"\W*(?:{_WORDS})\W*", re.IGNORECASE)
_PHRASE = re.compile(
    r"\b(?:can ?not|could not|can['’]t|couldn['’]t) be (?:determined|answered|known|calculated|computed|found|solved)"
    r"|\b(?:not|\w+n['’]t)(?: have)? (?:enough|sufficient) (?:information|data)|\binsufficient (?:information|data)"
    r"|\b(?:do not|don['’]t|can ?not|can['’]t) (?:know|tell|say|determine|answer)\b"
    r"|\bimpossible to (?:know|tell|say|determine|answer|calculate)\b"
    rf"|\banswer is (?:{_WORDS}|undefined|not (?:given|known|stated))\b",
    re.IGNORECASE,
)


# ── What an answer did ───────────────────────────────────────────────────────────────────────────────────────
def answerable(example: Example) -> bool | None:
    """Whether the example can be answered; None where it does not say."""
    known = example.metadata.get("answerable")
    return known if isinstance(known, bool) else None


def margin(answer: Answer) -> float:
    """The gate's margin (nats); NaN where the question did not pass a gate."""
    said = next((flag for flag in answer.flags if flag.startswith(MARGIN)), None)
    return float(said.removeprefix(MARGIN)) if said else math.nan


def abstained(answer: Answer) -> bool | None:
    """Whether the question was refused, by the gate or in words; None where nothing was decided or said."""
    if ABSTAINED in answer.flags:
        return True
    if answer.text is None:
        return False if any(flag.startswith(VERDICT) for flag in answer.flags) else None
    return dismisses(answer.text, answer.response)


def dismisses(text: str, response: str | None) -> bool:
    """Whether a text says that there is no answer: its response in so many words, or without one the text itself."""
    if response:
        return bool(_WORD.fullmatch(response) or _PHRASE.search(response))
    return bool(_PHRASE.search(text))


# ── Rates ────────────────────────────────────────────────────────────────────────────────────────────────────
@metric("false_refusal_rate", needs=NOTHING, higher_is_better=False, binary=True, partial=True)
def false_refusal_rate(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of the answerable questions that are refused."""
    refused = abstained(answer)
    return None if refused is None or not answerable(example) else float(refused)


@metric("abstention_recall", needs=NOTHING, binary=True, partial=True)
def abstention_recall(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of the unanswerable questions that are refused."""
    refused = abstained(answer)
    return None if refused is None or answerable(example) is not False else float(refused)


@metric("abstention_precision", needs=NOTHING, binary=True, partial=True)
def abstention_precision(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of the refused questions that are unanswerable."""
    known = answerable(example)
    return float(not known) if abstained(answer) and known is not None else None


@metric("garbage_in_rate", needs=TEXT, higher_is_better=False, binary=True, partial=True)
def garbage_in_rate(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of the unanswerable questions that get an answer of substance: one was found, and it is no refusal."""
    if answer.text is None or answerable(example) is not False:
        return None
    return float(bool(answer.response) and not abstained(answer))


@metric("selective_accuracy", needs=TEXT, binary=True, partial=True)
def selective_accuracy(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of the questions not refused that are answered rightly; an unanswerable one never is."""
    if answer.text is None or answerable(example) is None or abstained(answer):
        return None
    return float(bool(answerable(example)) and exact_match(answer.response or "", example.targets))


@metric("answerable_accuracy", needs=TEXT, binary=True, partial=True)
def answerable_accuracy(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of the answerable questions that are answered rightly; a refusal is not."""
    if answer.text is None or not answerable(example):
        return None
    return float(exact_match(answer.response or "", example.targets))


@metric("abstention_accuracy", needs=TEXT, binary=True, partial=True)
def abstention_accuracy(task: Task, example: Example, answer: Answer) -> float | None:
    """Share of all questions that are answered rightly, or rightly refused."""
    if answer.text is None or answerable(example) is None:
        return None
    return answerable_accuracy(task, example, answer) if answerable(example) else float(bool(abstained(answer)))


# ── The gate as a ranking ────────────────────────────────────────────────────────────────────────────────────
@metric("gate_auroc", needs=NOTHING, corpus=True, partial=True, chance=0.5)
def gate_auroc(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """P(an answerable question has a greater margin than an unanswerable one), ties half.

    The rows are DeLong's components, so that the bootstrap's standard error is DeLong's, pairs kept together.
    """
    import numpy as np

    margins = np.array([margin(answer) for answer in answers])
    known = [answerable(example) for example in examples]
    use = np.array([one is not None for one in known]) & np.isfinite(margins)
    rows = np.full((len(examples), 4), np.nan)
    yes = np.array([bool(one) for one in known])
    found = placements(margins[use], yes[use])
    if found is not None:
        rows[use] = 0.0
        for first, kind, shares in ((0, yes, found[0]), (2, ~yes, found[1])):
            rows[use & kind, first] = shares
            rows[use & kind, first + 1] = 1.0
    whole = float(np.mean(found[0])) if found is not None else math.nan

    def combine(total: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        if not total[1] or not total[3]:
            return math.nan
        return float(total[0] / total[1] + total[2] / total[3] - whole)

    return Corpus(rows, combine, _clusters(examples))


@metric("twin_accuracy", needs=NOTHING, corpus=True, partial=True, chance=0.5)
def twin_accuracy(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> Corpus:
    """Share of the twins whose answerable member has the greater margin, ties half."""
    import numpy as np

    sound: dict[str, list[float]] = {}
    for example, answer in zip(examples, answers, strict=True):
        if answerable(example) and "pair" in example.metadata and math.isfinite(margin(answer)):
            sound.setdefault(str(example.metadata["pair"]), []).append(margin(answer))
    rows = np.full((len(examples), 2), np.nan)
    for at, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        own, twins = margin(answer), sound.get(str(example.metadata.get("pair")), [])
        if answerable(example) is False and math.isfinite(own) and twins:
            rows[at] = np.mean([(twin > own) + (twin == own) / 2 for twin in twins]), 1.0
    return Corpus(rows, lambda total: float(total[0] / total[1]) if total[1] else math.nan, _clusters(examples))


def _clusters(examples: Sequence[Example]) -> list[str]:
    """What a bootstrap draws as a whole: the pair, else the example."""
    return [str(example.metadata.get("pair", f"\0{example.id}")) for example in examples]
