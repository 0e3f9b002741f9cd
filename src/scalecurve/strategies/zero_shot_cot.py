"""Zero-shot chain of thought: a trigger draws out the steps, a second prompt the answer (Kojima et al. 2022)."""

from __future__ import annotations

from scalecurve.strategies.chain_of_thought import TRIGGER, next_question
from scalecurve.strategies.protocol import Asking, Question, strategy
from scalecurve.strategies.render import build_prompt
from scalecurve.strategies.scoring import accounting, scored_fields, spaced_requests
from scalecurve.strategies.typed import respond, setting, type_of
from scalecurve.types import Answer, Request


@strategy("zero_shot_cot")
def zero_shot_cot(question: Question) -> Asking:
    """Two stages: prompt + trigger → steps; prompt + trigger + steps + blank + line break + answer trigger → answer.

    Settings: ``trigger`` (default "Let's think step by step."; any sentence, or "" for none), ``answer_trigger``
    (default by answer type), ``answer_type``, ``extraction``, ``step_tokens`` and ``answer_tokens`` (the limits of the
    two stages). Shots are shown answered, without steps. Options and targets are scored after the second prompt, a
    space before each.
    """
    task, query = question.task, question.query
    kind = type_of(question)
    trigger = setting(question, "trigger", str, TRIGGER)
    prompt = build_prompt(task, query.example, query.shots) + trigger
    (steps,) = yield (Request(prompt, max_tokens=question.step_tokens, stop=next_question(task)),)
    second = f"{prompt}{steps.texts[0]} \n{setting(question, 'answer_trigger', str, kind.trigger)}"
    requests = spaced_requests(question, second)
    if "text" in question.wants:
        requests["text"] = Request(second, max_tokens=question.answer_tokens, grammar=question.grammar)
    replies = yield tuple(requests.values())
    outputs = dict(zip(requests, replies, strict=True))
    said = outputs["text"].texts[0] if "text" in outputs else None
    response = None if said is None else respond(question, said, kind, few_shot=False)
    return Answer(
        example_id=query.example.id,
        prompt=prompt,
        text=None if said is None else f"{second[len(prompt) :]}{said}",
        response=response,
        **scored_fields(question, outputs),
        **accounting(steps, *replies),
    )
