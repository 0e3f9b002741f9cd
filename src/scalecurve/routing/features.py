"""What a controller may look at, read from Answers in one way, live and stored."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.types import Answer

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class FastFeatures:
    """What is known of fast answers before any slow token is spent: arrays of one length, one entry an item.

    ``family``: the task. ``answer``: what was said ("" where nothing was found). ``confidence``: its probability, 0–1.
    ``margin``: by how much its log-probability is above that of the next option, in nats. ``entropy``: of the scored
    options, in nats. ``tokens``: generated for it. ``words``, ``digits``: of the question. NaN where it is unknown.
    """

    family: Texts
    answer: Texts
    confidence: Floats
    margin: Floats
    entropy: Floats
    tokens: Floats
    words: Floats
    digits: Floats

    def __len__(self) -> int:
        return len(self.family)

    def take(self, chosen: NDArray[Any]) -> FastFeatures:
        """The items at ``chosen`` (indices or a mask)."""
        return FastFeatures(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class SlowFeatures:
    """What a slow answer adds: what it says ("" where nothing was found), its confidence (NaN unknown), its tokens.

    ``agree`` is true where it says what the fast one said; an answer that was not found agrees with nothing.
    """

    answer: Texts
    confidence: Floats
    tokens: Floats
    agree: NDArray[np.bool_]

    def take(self, chosen: NDArray[Any]) -> SlowFeatures:
        """The items at ``chosen`` (indices or a mask)."""
        return SlowFeatures(*(getattr(self, field.name)[chosen] for field in fields(self)))


def fast_features_of(answers: Sequence[Answer], families: Sequence[str], questions: Sequence[str]) -> FastFeatures:
    """The signals of fast ``answers`` to ``questions`` (their text) of ``families``."""
    spread = [_spread(answer.option_logprobs) for answer in answers]
    return FastFeatures(
        np.asarray(families, np.str_),
        np.asarray([said(answer) for answer in answers], np.str_),
        np.asarray([confidence_of(answer) for answer in answers], float),
        np.asarray([margin for margin, _ in spread], float),
        np.asarray([entropy for _, entropy in spread], float),
        np.asarray([answer.generated_tokens for answer in answers], float),
        np.asarray([len(question.split()) for question in questions], float),
        np.asarray([len(re.findall(r"\d", question)) for question in questions], float),
    )


def slow_features_of(slow: Sequence[Answer], fast: Sequence[Answer]) -> SlowFeatures:
    """What the ``slow`` answers to the same questions add to the ``fast`` ones."""
    says = [said(answer) for answer in slow]
    return SlowFeatures(
        np.asarray(says, np.str_),
        np.asarray([confidence_of(answer) for answer in slow], float),
        np.asarray([answer.generated_tokens for answer in slow], float),
        np.asarray([text != "" and text == said(other) for text, other in zip(says, fast, strict=True)], bool),
    )


def said(answer: Answer) -> str:
    """What an answer says: the best of its scored options, else the response, without blanks around it."""
    if answer.option_logprobs:
        best = max(range(len(answer.option_logprobs)), key=answer.option_logprobs.__getitem__)
        return answer.options[best].strip()
    return (answer.response or "").strip()


def confidence_of(answer: Answer) -> float:
    """P(best option) among the scored ones; else the share of samples that agree; else P(the generated text).

    NaN where none is known, or no answer was found.
    """
    if answer.option_logprobs:
        top = max(answer.option_logprobs)
        return 1 / math.fsum(math.exp(value - top) for value in answer.option_logprobs) if top > -math.inf else math.nan
    votes = next((flag for flag in answer.flags if flag.startswith("votes:")), "")
    if votes:
        got, _, of = votes.removeprefix("votes:").partition("/")
        return int(got) / int(of)
    return math.nan if answer.text_logprob is None or not said(answer) else math.exp(min(answer.text_logprob, 0.0))


def _spread(logprobs: Sequence[float]) -> tuple[float, float]:
    """(margin, entropy) of scored options; NaN without two of them."""
    if len(logprobs) < 2 or not math.isfinite(max(logprobs)):
        return math.nan, math.nan
    first, second, *_ = sorted(logprobs, reverse=True)
    weights = [math.exp(value - first) for value in logprobs]
    shares = [weight / math.fsum(weights) for weight in weights]
    return first - second, -math.fsum(p * math.log(p) for p in shares if p > 0)
