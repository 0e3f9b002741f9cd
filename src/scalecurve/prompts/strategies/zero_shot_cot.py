"""Zero-shot chain of thought: a trigger draws out the steps, a second prompt the answer (Kojima et al. 2022)."""

from __future__ import annotations

from scalecurve.nouns import Answer, Request
from scalecurve.prompts.render import build_prompt
from scalecurve.prompts.scoring import accounting, scored_fields, spaced_requests
from scalecurve.prompts.strategies.chain_of_thought import TRIGGER, next_question, unfinished
from scalecurve.prompts.strategy import Asking, Question, strategy
from scalecurve.prompts.typed import respond, setting, type_of

ANSWER_TOKENS = 32


@strategy("zero_shot_cot")
def zero_shot_cot(question: Question) -> Asking:
    """Two stages: prompt + trigger → steps; prompt + trigger + steps + answer trigger → answer.

    Settings: ``trigger`` (default "Let's think step by step."; any sentence, or "" for none), ``answer_trigger``
    (default by answer type), ``answer_type``, ``extraction``. Shots are shown answered, without steps. Options and
    targets are scored after the second prompt, a space before each. ``unfinished`` flags steps that were cut at
    ``max_tokens``.
    """
    task, query = question.task, question.query
    kind = type_of(question)
    trigger = setting(question, "trigger", str, TRIGGER)
    prompt = build_prompt(task, query.example, query.shots) + trigger
    (steps,) = yield (Request(prompt, max_tokens=question.max_tokens, stop=next_question(task)),)
    chain = steps.texts[0].rstrip()
    second = f"{prompt}{chain}\n{setting(question, 'answer_trigger', str, kind.trigger)}"
    requests = spaced_requests(question, second)
    if "text" in question.wants:
        requests["text"] = Request(second, max_tokens=ANSWER_TOKENS, grammar=question.grammar)
    replies = yield tuple(requests.values())
    outputs = dict(zip(requests, replies, strict=True))
    said = outputs["text"].texts[0] if "text" in outputs else None
    counted = accounting(steps, *replies)
    return Answer(
        example_id=query.example.id,
        prompt=prompt,
        text=None if said is None else f"{second[len(prompt) :]}{said}",
        response=None if said is None else respond(question, said, kind, few_shot=False),
        **scored_fields(question, outputs),
        **(counted | {"flags": (*counted["flags"], *unfinished(steps, question.max_tokens))}),
    )
