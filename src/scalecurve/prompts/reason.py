"""Two systems in conversation with one model: gate, fast answer, controller, slow answer, and which of them stays.

``reason`` is a strategy with a memory: it yields Requests like any other, and notes every Step as it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scalecurve.controller import Controller, Gate, Signals, said, signals_of
from scalecurve.controller.signals import afterthoughts_of, confidence_of
from scalecurve.controller.stored import KEEP, LARGER
from scalecurve.nouns import Answer, Request, Step
from scalecurve.prompts.gate import dismissal_request, gate_margin, gate_request
from scalecurve.prompts.render import build_prompt
from scalecurve.prompts.strategy import Asking, Question, get_strategy

Note = Callable[[Step], None]
REFUSED, ABSTAINED, TO_LARGER = "dual:unanswerable", "dual:abstained", "dual:larger"


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

    ``given``: the answer of a smaller rung that was not sure enough; it is settled against this rung's fast one. Flags:
    ``dual:fast``, ``dual:slow``; ``dual:larger`` where the controller would rather ask a larger rung, and the answer is
    the fast one; ``dual:unanswerable`` and ``dual:abstained`` without a response.
    """
    asked = 0, 0
    if mind.gate is not None and given is None:
        request = _gate_request(question, mind.gate)
        (output,) = yield (request,)
        asked = output.prompt_tokens, output.generated_tokens
        margin = gate_margin(output)
        accepted = mind.gate.accepts(margin)
        why = f"margin {margin:+.2f} is {'above' if accepted else 'not above'} {mind.gate.value:+.2f}"
        note(Step("gate", mind.who, confidence=margin, prompt_tokens=asked[0], generated_tokens=asked[1], why=why))
        if not accepted:
            return Answer(question.query.example.id, request.prompt, prompt_tokens=asked[0],
                          generated_tokens=asked[1], flags=(REFUSED,))  # fmt: skip
    fast: Answer = yield from get_strategy(mind.fast)(question)
    before = signals_of([fast], [family_of(question)], [question.query.example.input])
    sure = _sure(mind.controller, before)
    note(_step("larger" if given is not None else "fast", mind.who, fast, sure, mind.fast))
    decided, why = _decide(mind.controller, before)
    if decided in (KEEP, LARGER):
        note(Step("settle", mind.who, said(fast), sure, why=why))
        return _ended(fast, asked, sure, mind.controller, TO_LARGER if decided == LARGER else "dual:fast")
    slow: Answer = yield from get_strategy(mind.slow)(question)
    note(_step("slow", mind.who, slow, _known(confidence_of(slow)), f"{mind.slow}: {why}"))
    answer, sure, why = settle(mind.controller, before, fast, slow)
    note(Step("settle", mind.who, said(answer), sure, why=why))
    spent = fast.prompt_tokens + slow.prompt_tokens + asked[0], fast.generated_tokens + slow.generated_tokens + asked[1]
    kept = replace(answer, prompt_tokens=0, generated_tokens=0)
    return _ended(kept, spent, sure, mind.controller, "dual:slow" if answer is slow else "dual:fast")


def family_of(question: Question) -> str:
    """The name controllers know a question's task by: that of the run's cells, else the task's."""
    return str(question.settings.get("family") or question.task.name)


def settle(
    controller: Controller | None, before: Signals, fast: Answer, slow: Answer, *, larger: bool = False
) -> tuple[Answer, float | None, str]:
    """Which of two answers stays, how sure that is, and why. ``larger``: the second is a larger rung's."""
    after = afterthoughts_of([slow], [fast])
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
    if not gate.dismissal:
        return gate_request(question.query.example.input)
    return dismissal_request(build_prompt(question.task, question.query.example, question.query.shots), gate.dismissal)


def _decide(controller: Controller | None, before: Signals) -> tuple[int, str]:
    if controller is None:
        return KEEP, "no controller: the fast answer is kept"
    decided = int(controller.decide(before)[0])
    gain = float(controller.gain(before)[0])
    price = controller.rate * float(np.maximum(controller.policy.cost(before)[0], 1.0))
    said_gain = f"expected gain {gain:+.3f}" + (f", price {price:.3f}" if controller.rate else "")
    if decided == LARGER:
        return decided, f"{controller.larger} is expected to gain more; of slow thinking: {said_gain}"
    return decided, said_gain


def _sure(controller: Controller | None, before: Signals) -> float | None:
    """P(the fast answer is right), calibrated where there is a controller."""
    return _known(float((before.confidence if controller is None else controller.policy.right(before))[0]))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _step(stage: str, who: str, answer: Answer, sure: float | None, why: str) -> Step:
    return Step(stage, who, said(answer), sure, answer.prompt_tokens, answer.generated_tokens, why)


def _ended(
    answer: Answer, spent: tuple[int, int], sure: float | None, controller: Controller | None, flag: str
) -> Answer:
    """``answer`` with what else was spent; withheld where it is not sure enough."""
    answer = replace(
        answer,
        prompt_tokens=answer.prompt_tokens + spent[0],
        generated_tokens=answer.generated_tokens + spent[1],
        flags=(*answer.flags, flag),
    )
    least = 0.0 if controller is None else controller.abstain_below
    if sure is None or sure >= least:
        return answer
    return Answer(answer.example_id, answer.prompt, prompt_tokens=answer.prompt_tokens,
                  generated_tokens=answer.generated_tokens, flags=(*answer.flags, ABSTAINED))  # fmt: skip
