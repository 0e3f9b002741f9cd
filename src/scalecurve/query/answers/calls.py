"""What one call asks: from ``ai_*`` and its arguments to a question, and from the model's answer to a typed cell.

Questions are put exactly as tasks put theirs (``prompts``): so the ability measured in a run is the ability used here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scalecurve.errors import UserError
from scalecurve.query.answers.values import (
    SUMMARY,
    TEXT,
    YES_NO,
    Kind,
    enumeration,
    kind_of,
    option_value,
    read_value,
    says_unknown,
    scale,
)
from scalecurve.strategies import FewShotExample, Question, Shot
from scalecurve.tasks.postprocess import FIRST_LINE
from scalecurve.types import Answer, Example, Postprocess, Rendering, Task

STATUSES = ("ok", "abstained", "unanswerable", "unparsable", "error")
HOLE = "{}"
Tuple = tuple[str, ...]

_BARE = Rendering("", "", "", "", "", append_choices=False)
_CHAT = Rendering("", "", "\n", append_choices=False)  # a chat has marks of its own for who speaks
_LOOKED_FOR = {
    "INT": "Which whole number does this text state?",
    "BIGINT": "Which whole number does this text state?",
    "DOUBLE": "Which number does this text state?",
    "DATE": "Which date (year-month-day) does this text state?",
    "JSON": "Write this text as JSON.",
}
_ARGUMENTS = {
    "ai_filter": (1, 9, "(question, text, …)"),
    "ai_score": (1, 9, "(question, text, …)"),
    "ai_classify": (2, 3, "(text, [labels] [, what is asked])"),
    "ai_extract": (2, 3, "(text, 'TYPE' [, what])"),
    "ai_ask": (1, 2, "(question [, 'TYPE'])"),
    "ai_complete": (1, 1, "(prompt)"),
    "ai_rate": (2, 4, "(text, rubric [, low, high])"),
    "ai_agg": (2, 2, "(text, instruction)"),
}


@dataclass(frozen=True, slots=True)
class AnswerCell:
    """One answer. ``value`` is None unless ``status`` is ok; ``reason`` says in a few words why not.

    ``confidence`` (0–1) is that of the value: the options' normalised probability, the text's probability, or the
    share of votes. ``margin`` is the log-probability by which the best option leads (nats).
    """

    value: Any = None
    confidence: float | None = None
    margin: float | None = None
    model: str = ""
    strategy: str = ""
    status: str = "ok"
    n_samples: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    prompt_hash: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks, but for what differs from row to row: ``fixed`` has None where a row's argument goes.

    ``kind`` is the type of the answer. The ``cell`` function is a knowledge table's: its one argument is the key.
    ``shots`` are keys and their cells, asked and answered before the question.
    """

    function: str
    kind: Kind
    fixed: tuple[str | None, ...]
    shots: tuple[tuple[str, str], ...] = ()

    @property
    def holes(self) -> int:
        """How many arguments a row gives."""
        return sum(each is None for each in self.fixed)

    def text(self, values: Sequence[str]) -> str:
        """The question for a row's ``values``."""
        given = iter(values)
        parts = [next(given) if each is None else each for each in self.fixed]
        if self.function in ("ai_filter", "ai_score", "cell"):
            return filled(parts[0], parts[1:])
        if self.function == "ai_rate":
            return f"{parts[1]}\n{parts[0]}".lstrip("\n")
        if self.function in ("ai_extract", "ai_classify") and len(parts) > 1:
            return f"{parts[1]}\n{parts[0]}"
        return parts[0]


def asked(function: str, arguments: Sequence[object]) -> Asked:
    """What a call asks. ``arguments``: a text, a list of texts, or None where the rows give one."""
    least, most, form = _ARGUMENTS[function]
    if not least <= len(arguments) <= most:
        raise UserError(f"query: write {function}{form}")
    if function in ("ai_filter", "ai_score"):
        question, texts = arguments[0], arguments[1:]
        if isinstance(question, str) and HOLE in question and question.count(HOLE) != len(texts):
            raise UserError(
                f"query: {function}: {question.count(HOLE)} places {HOLE} in the question, but {len(texts)} texts"
            )
        kind = kind_of("BOOLEAN")
        return Asked(function, Kind("SCORE", "DOUBLE", YES_NO) if function == "ai_score" else kind, _texts(arguments))
    if function == "ai_classify":
        if not isinstance(arguments[1], list):
            raise UserError("query: ai_classify: the labels must be a constant list, such as ['good', 'bad']")
        return Asked(function, enumeration(arguments[1]), _texts((arguments[0], *arguments[2:])))
    if function == "ai_complete":
        return Asked(function, TEXT, _texts(arguments))
    if function == "ai_agg":
        return Asked(function, SUMMARY, _texts(arguments))
    if function == "ai_rate":
        return Asked(function, scale(*_ends(arguments[2:])), _texts(arguments[:2]))
    kind = _kind(function, arguments[1] if len(arguments) > 1 else "VARCHAR")
    if function == "ai_ask":
        return Asked(function, kind, _texts(arguments[:1]))
    what = arguments[2] if len(arguments) > 2 else _LOOKED_FOR.get(kind.name)
    if what is None and len(arguments) < 3:
        raise UserError(f"query: ai_extract(text, '{kind.name}', what): say what to look for in the text")
    return Asked(function, kind, _texts([arguments[0], what]))


def asked_of_key(question: str, hole: str, kind: Kind, shots: Sequence[tuple[str, str]] = ()) -> Asked:
    """What a cell of a knowledge table asks: ``question`` with the key in place of ``hole``, after ``shots``."""
    return Asked("cell", kind, (question.replace(HOLE, "").replace(hole, HOLE), None), tuple(shots))


def _ends(given: Sequence[Any]) -> tuple[int, int]:
    """The ends of a scale, 1 and 5 where none are given."""
    try:
        low, high = (int(each) for each in (given or ("1", "5")))
    except (ValueError, TypeError):
        raise UserError("query: ai_rate: the scale's ends must be two constant whole numbers, such as 1, 5") from None
    return low, high


def _kind(function: str, given: Any) -> Kind:
    if given is None:
        raise UserError(f"query: {function}: the type must be a constant, such as 'INT'")
    return enumeration(given) if isinstance(given, list) else kind_of(given)


def _texts(arguments: Sequence[Any]) -> tuple[str | None, ...]:
    if any(isinstance(each, list) for each in arguments):
        raise UserError("query: a list stands where a text is wanted")
    return tuple(arguments)


def filled(question: str, texts: Sequence[str]) -> str:
    """``question`` with ``texts`` in its places ``{}``, or below it where it has none."""
    pieces = question.split(HOLE)
    if len(pieces) == len(texts) + 1 and texts:
        return pieces[0] + "".join(text + piece for text, piece in zip(texts, pieces[1:], strict=True))
    return "\n".join([question, *texts])


# ── To the model ─────────────────────────────────────────────────────────────────────────────────────────────
def question_of(
    what: Asked, values: Sequence[str], settings: Mapping[str, object], *, scores: bool = True, picks: bool = False
) -> Question:
    """The question that strategies ask.

    ``scores``: the model can score options; if not, they are shown, and written, or with ``picks`` told apart by how
    likely a reply begins with each.
    """
    kind, free, chat = what.kind, what.function == "ai_complete", not scores
    picks = picks and len({option.strip()[:1].lower() for option in kind.options}) == len(kind.options)
    scored = bool(kind.options) and (scores or picks)
    asked_for = f"\nAnswer {_either(kind.options)}." if chat and kind.options else ""
    example = Example("", what.text(values) + asked_for, options=kind.options)
    task = Task(
        "query",
        (example,),
        metrics=(),
        preferred_metric="",
        rendering=_rendering(what, chat),
        postprocess=Postprocess() if free else Postprocess(regex=FIRST_LINE),
        max_tokens=max(len(o.encode()) for o in kind.options) + 2 if kind.options else kind.max_tokens,
    )
    typed = {} if kind.options else {"answer_type": kind.extraction}
    shots = tuple(Shot(Example("", what.text((key,)), options=kind.options), answer) for key, answer in what.shots)
    return Question(
        task, FewShotExample(example, shots), frozenset(("options",) if scored else ("text",)), {**typed, **settings}
    )


def _rendering(what: Asked, chat: bool) -> Rendering:
    if what.function == "ai_complete":
        return _BARE
    if chat and not what.shots:
        return _CHAT
    return Rendering(append_choices=not chat and what.function == "ai_classify")


def _either(options: Sequence[str]) -> str:
    """
    >>> _either(["a", "b", "c"])
    'a, b or c'
    """
    return f"{', '.join(options[:-1])} or {options[-1]}"


# ── From the model ───────────────────────────────────────────────────────────────────────────────────────────
def cell_of(
    what: Asked,
    answer: Answer,
    *,
    model: str,
    strategy: str,
    votes: float | None = None,
    calibrate: Callable[[float], float] | None = None,
) -> AnswerCell:
    """The cell an answer makes. ``votes``: the share of samples that agree with it, where several were drawn.

    ``calibrate`` turns the model's probability of an option into how often it is right.
    """
    cell = AnswerCell(
        model=model,
        strategy=strategy,
        n_samples=len(answer.samples) or 1,
        tokens_in=answer.prompt_tokens,
        tokens_out=answer.generated_tokens,
        prompt_hash=hashlib.sha256(answer.prompt.encode()).hexdigest()[:16],
    )
    if answer.error:
        return _with(cell, status="error", reason=answer.error)
    if answer.option_logprobs:
        return _chosen(cell, what, answer, calibrate or (lambda p: p))
    confidence = votes if votes is not None else None if answer.text_logprob is None else math.exp(answer.text_logprob)
    if what.kind is TEXT:
        return _with(cell, value=answer.text or "", confidence=confidence)
    if not answer.response:
        return _with(cell, status="unparsable", reason="no answer in the text", confidence=confidence)
    if not what.kind.options and says_unknown(answer.response):
        return _with(cell, status="unanswerable", reason="the model says it is unknown", confidence=confidence)
    value = read_value(answer.response, what.kind)
    if value is None:
        return _with(cell, status="unparsable", reason=f"no {what.kind.name}: {answer.response[:60]!r}",
                     confidence=confidence)  # fmt: skip
    return _with(cell, value=value, confidence=confidence)


def _chosen(cell: AnswerCell, what: Asked, answer: Answer, calibrate: Callable[[float], float]) -> AnswerCell:
    """The cell of scored options: the likeliest is the value; a tie at the top decides nothing."""
    logs = answer.option_logprobs
    best, second = sorted(logs, reverse=True)[:2]
    if not math.isfinite(best):
        return _with(cell, status="error", reason="no option has a probability")
    total = math.fsum(math.exp(log - best) for log in logs)
    cell = _with(cell, margin=best - second, confidence=calibrate(1 / total))
    if what.kind.name == "RATE":
        shares = [math.exp(log - best) / total for log in logs]
        return _with(cell, value=math.fsum(p * float(o) for p, o in zip(shares, answer.options, strict=True)))
    if what.kind.name == "SCORE":
        yes = calibrate(math.exp(logs[answer.options.index(YES_NO[0])] - best) / total)
        return _with(cell, value=yes, confidence=max(yes, 1 - yes))
    if best == second:
        return _with(cell, status="abstained", reason="two options are equally likely")
    return _with(cell, value=option_value(answer.options[logs.index(best)], what.kind))


def _with(cell: AnswerCell, **changes: Any) -> AnswerCell:
    from dataclasses import replace

    return replace(cell, **changes)
