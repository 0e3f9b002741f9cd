"""Gate: is the question answerable at all? Alone, or before another strategy: ``gate+zero_shot_cot``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scalecurve.errors import UserError
from scalecurve.strategies.gating import (
    ABSTAINED,
    ANSWERABLE,
    DEFAULT_SHOTS,
    LABELS,
    UNANSWERABLE,
    GateShot,
    dismissal_request,
    gate_label,
    gate_margin,
    gate_request,
)
from scalecurve.strategies.protocol import Asking, Question, Strategy, before, strategy
from scalecurve.strategies.render import build_prompt
from scalecurve.strategies.scoring import accounting
from scalecurve.strategies.typed import setting
from scalecurve.types import Answer, Output, Request


@strategy("gate")
def gate(question: Question) -> Asking:
    """Score the verdicts on the question, and say no more: the options of the answer are the verdicts.

    The question's text is judged (``metadata["gate_text"]`` where the example has it). Settings: ``gate_threshold``,
    the margin above which a question is let through (0), or a table of one for each rung; ``gate_shots``, a list of
    {question, label}; ``gate_dismissal``, what the model has learnt to say to a question without an answer: then the
    question is put as the task puts it, and only the dismissal is scored. Flags: ``gate:LABEL``, ``margin:NUMBER``,
    and ``abstained`` where the question is not let through.
    """
    threshold, request = _threshold(question.settings), _request(question)
    (reply,) = yield (request,)
    flags, _ = _verdict(reply, threshold)
    return Answer(
        example_id=question.query.example.id,
        prompt=request.prompt,
        options=LABELS if len(request.options) == len(LABELS) else request.options,
        option_logprobs=reply.logprobs,
        option_tokens=reply.token_counts,
        option_greedy=reply.greedy,
        **accounting(reply, flags=flags),
    )


@before("gate")
def gate_before(question: Question, then: Strategy) -> Asking:
    """The gate, and ``then`` for the questions it lets through; the others are answered "unanswerable" at once."""
    threshold, request = _threshold(question.settings), _request(question)
    (reply,) = yield (request,)
    flags, accepted = _verdict(reply, threshold)
    if accepted:
        answer = yield from then(question)
    else:
        answer = Answer(question.query.example.id, request.prompt, text=UNANSWERABLE, response=UNANSWERABLE)
    flags = tuple(dict.fromkeys((*reply.flags, *flags, *answer.flags)))
    return replace(answer, prompt_tokens=answer.prompt_tokens + reply.prompt_tokens, flags=flags)


def _request(question: Question) -> Request:
    example = question.query.example
    dismissal = setting(question, "gate_dismissal", str, "")
    if dismissal:
        return dismissal_request(build_prompt(question.task, example, question.query.shots), dismissal)
    text = str(example.metadata.get("gate_text") or example.input)
    return gate_request(text, shots=_shots(question.settings), seed=setting(question, "seed", int, 0))


def _verdict(reply: Output, threshold: float) -> tuple[tuple[str, ...], bool]:
    """The answer's flags, and whether the question is let through."""
    margin = gate_margin(reply)
    accepted = margin > threshold
    refusal = () if accepted else (ABSTAINED,)
    return (f"gate:{gate_label(reply)}", f"margin:{margin!r}", *refusal), accepted


def _threshold(settings: Mapping[str, object]) -> float:
    given = settings.get("gate_threshold", 0.0)
    rung = settings.get("rung", "")
    if isinstance(given, Mapping):
        if rung not in given:
            raise UserError(f"settings.gate_threshold: no threshold for {rung!r}; add it, or give one number for all")
        given = given[rung]
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise UserError(f"settings.gate_threshold: {given!r}: give a number, or a table of one for each rung")
    return float(given)


def _shots(settings: Mapping[str, object]) -> tuple[GateShot, ...]:
    given = settings.get("gate_shots")
    if given is None:
        return DEFAULT_SHOTS
    if not isinstance(given, list | tuple) or not all(
        isinstance(shot, Mapping) and set(shot) == {"question", "label"} for shot in given
    ):
        raise UserError(f'settings.gate_shots: give a list of {{question = "…", label = "{ANSWERABLE}"}}')
    return tuple(GateShot(str(shot["question"]), str(shot["label"])) for shot in given)
