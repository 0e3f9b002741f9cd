"""Two systems in conversation with one model: gate, fast answer, controller, slow answer, and which of them stays.

``reason`` is a strategy with a memory: it yields Requests like any other, and notes every Step as it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scalecurve.routing.controllers import KEEP, LARGER, SLOW, Controller, Gate
from scalecurve.routing.features import FastFeatures, confidence_of, fast_features_of, said, slow_features_of
from scalecurve.routing.trace import Step
from scalecurve.strategies.gating import (
    ABSTAINED,
    UNANSWERABLE,
    dismissal_request,
    gate_label,
    gate_margin,
    gate_request,
)
from scalecurve.strategies.protocol import Asking, Question, get_strategy
from scalecurve.strategies.render import build_prompt
from scalecurve.types import Answer, Request

Note = Callable[[Step], None]
REFUSED, UNSURE, TO_LARGER = "dual:unanswerable", "dual:unsure", "dual:larger"


@dataclass(frozen=True, slots=True)
class Mind:
    """How a rung thinks: who it is, how it answers fast and slowly, what decides, and what is refused beforehand.

    ``controller`` None keeps every fast answer. ``gate`` None refuses nothing.
    """

    who: str
    controller: Controller | None = None
    gate: Gate | None = None
    fast: str = "direct"
    slow: str = "chain_of_thought"


def reason(question: Question, mind: Mind, note: Note, given: Answer | None = None) -> Asking:
    """The Answer that stays, with the tokens of all that was asked, and flags that say how it came about.

    ``given``: the answer of a smaller rung that was not sure enough; there is no gate then. Flags: ``dual:fast``,
    ``dual:slow``; ``dual:larger`` where the controller would rather ask a larger rung, and the answer is the fast one;
    ``dual:unanswerable`` and ``dual:unsure``, both with ``abstained``, where none is given; those of the gate.
    """
    prompt_tokens, flags = 0, tuple[str, ...]()
    if mind.gate is not None and given is None:
        request = _gate_request(question, mind.gate)
        (output,) = yield (request,)
        margin, prompt_tokens = gate_margin(output), output.prompt_tokens
        accepted = mind.gate.accepts(margin)
        why = f"margin {margin:+.2f} is {'above' if accepted else 'not above'} {mind.gate.value:+.2f}"
        note(Step("gate", mind.who, "" if accepted else UNANSWERABLE, margin, prompt_tokens, why=why))
        flags = f"gate:{gate_label(output)}", f"margin:{margin!r}"
        if not accepted:
            return Answer(question.query.example.id, request.prompt, text=UNANSWERABLE, response=UNANSWERABLE,
                          prompt_tokens=prompt_tokens, flags=(*flags, ABSTAINED, REFUSED))  # fmt: skip
    fast: Answer = yield from get_strategy(mind.fast)(question)
    before = fast_features_of([fast], [family_of(question)], [question.query.example.input])
    sure = _sure(mind.controller, before)
    note(_step("larger" if given is not None else "fast", mind.who, fast, sure, mind.fast))
    decided, why = _decide(mind.controller, before)
    answer, how, spent = fast, TO_LARGER if decided == LARGER else "dual:fast", [fast]
    if decided == SLOW:
        slow: Answer = yield from get_strategy(mind.slow)(question)
        spent.append(slow)
        note(_step("slow", mind.who, slow, _known(confidence_of(slow)), f"{mind.slow}: {why}"))
        answer, sure, why = settle(mind.controller, before, fast, slow)
        how = "dual:slow" if answer is slow else "dual:fast"
    note(Step("settle", mind.who, said(answer), sure, why=why))
    answer = replace(
        answer,
        prompt_tokens=prompt_tokens + sum(one.prompt_tokens for one in spent),
        generated_tokens=sum(one.generated_tokens for one in spent),
        flags=(*flags, *answer.flags, how),
    )
    least = 0.0 if mind.controller is None else mind.controller.abstain_below
    return answer if sure is None or sure >= least or how == TO_LARGER else withheld(answer)


def family_of(question: Question) -> str:
    """The name controllers know a question's task by: that of the run's cells, else the task's."""
    return str(question.settings.get("family") or question.task.name)


def settle(
    controller: Controller | None, before: FastFeatures, fast: Answer, slow: Answer, *, larger: bool = False
) -> tuple[Answer, float | None, str]:
    """Which of two answers stays, how sure that is, and why. ``larger``: the second is a larger rung's."""
    after = slow_features_of([slow], [fast])
    policy = None if controller is None else (controller.larger_policy if larger else controller.policy)
    if policy is None:
        return fast, None, "no controller"
    take, sure = policy.settle(before, after)
    if bool(after.agree[0]):
        return slow, _known(float(sure[0])), "both say the same"
    if not said(slow):
        return fast, _known(float(sure[0])), "the slow answer was not found"
    why = f"they differ, and {policy.name} holds {'the slow' if take[0] else 'the fast'} answer likelier"
    return (slow if take[0] else fast), _known(float(sure[0])), why


def _gate_request(question: Question, gate: Gate) -> Request:
    """The dialogue of verdicts, or the question as its task puts it, without shots, and the dismissal."""
    example = question.query.example
    if gate.dismissal:
        return dismissal_request(build_prompt(question.task, example), gate.dismissal)
    return gate_request(str(example.metadata.get("gate_text") or example.input))


def _decide(controller: Controller | None, before: FastFeatures) -> tuple[int, str]:
    if controller is None:
        return KEEP, "no controller: the fast answer is kept"
    decided = int(controller.decide(before)[0])
    gain = float(controller.gain(before)[0])
    price = controller.rate * float(np.maximum(controller.policy.cost(before)[0], 1.0))
    said_gain = f"expected gain {gain:+.3f}" + (f", price {price:.3f}" if controller.rate else "")
    if decided == LARGER:
        return decided, f"{controller.larger} is expected to gain more; of slow thinking: {said_gain}"
    return decided, said_gain


def _sure(controller: Controller | None, before: FastFeatures) -> float | None:
    """P(the fast answer is right), calibrated where there is a controller."""
    return _known(float((before.confidence if controller is None else controller.policy.right(before))[0]))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _step(stage: str, who: str, answer: Answer, sure: float | None, why: str) -> Step:
    return Step(stage, who, said(answer), sure, answer.prompt_tokens, answer.generated_tokens, why)


def withheld(answer: Answer) -> Answer:
    """No answer in place of one that is not sure enough."""
    return Answer(answer.example_id, answer.prompt, text="", prompt_tokens=answer.prompt_tokens,
                  generated_tokens=answer.generated_tokens, flags=(*answer.flags, ABSTAINED, UNSURE))  # fmt: skip
