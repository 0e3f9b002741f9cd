"""Chain of thought: the model writes its steps, then the answer (Wei et al. 2022, Kojima et al. 2022)."""

from __future__ import annotations

import re

from scalecurve.strategies.protocol import Asking, Question, strategy
from scalecurve.strategies.render import element
from scalecurve.strategies.scoring import accounting, scored_fields, spaced_requests
from scalecurve.strategies.shots import Shot
from scalecurve.strategies.typed import respond, setting, type_of
from scalecurve.types import Answer, Output, Request, Task

TRIGGER = "Let's think step by step."
CONCLUSION = "So the answer is"
_CONCLUDES = re.compile(r"(?:so )?the answer is", re.IGNORECASE)


@strategy("chain_of_thought")
def chain_of_thought(question: Question) -> Asking:
    """Generate a chain of steps, take the answer out of it, and score options or targets after that very chain.

    Shots show their rationale: the example's own, or that of a prompt file (``cot_prompts``). The prompt ends in "Let's
    think step by step." unless the shots begin otherwise. Options and targets are scored after prompt + the model's
    chain up to its conclusion + "So the answer is", with a space before each. Settings: ``step_tokens`` (the limit of
    the chain), ``answer_type``, ``extraction``, ``force_answer`` (default false: a chain that its limit cut off before
    it stated anything is asked for its answer, ``answer_tokens`` long). Flag ``bare_shots``: a shot has no rationale
    and shows its answer alone. A chain that its limit cut off answers what it stated by then, nothing it comes to.
    """
    task, query = question.task, question.query
    prompt = chain_prompt(question)
    kind = type_of(question)
    request = Request(prompt, max_tokens=question.step_tokens, stop=stop_strings(task))
    (chain,) = yield (request,)
    text = chain.texts[0]
    replies: tuple[Output, ...] = (chain,)
    outputs: dict[str, Output] = {}
    response = respond(question, text, kind, few_shot=True, cut=any(chain.cut))
    conclusion = concluded(prompt, text)
    requests = spaced_requests(question, conclusion)
    if response is None and any(chain.cut) and setting(question, "force_answer", bool, False):
        requests["text"] = Request(conclusion, max_tokens=question.answer_tokens, stop=("\n",))
    if requests:
        further = yield tuple(requests.values())
        outputs = dict(zip(requests, further, strict=True))
        replies = (chain, *further)
    if "text" in outputs:
        text = conclusion[len(prompt) :] + outputs["text"].texts[0]
        response = respond(question, outputs["text"].texts[0], kind, few_shot=False)
    bare = ("bare_shots",) if any(not shot.example.rationale for shot in query.shots) else ()
    return Answer(
        example_id=query.example.id,
        prompt=prompt,
        text=text,
        response=response,
        text_logprob=sum(chain.text_logprobs[0]) if chain.text_logprobs else None,
        **scored_fields(question, outputs),
        **accounting(*replies, flags=bare),
    )


def chain_prompt(question: Question) -> str:
    """The prompt whose continuation is the chain of steps."""
    task, query = question.task, question.query
    steps = [worked(shot) for shot in query.shots]
    asked = element(task, query.example) + (TRIGGER if all(text.startswith(TRIGGER) for text in steps) else "")
    shown = [element(task, shot.example) + text for shot, text in zip(query.shots, steps, strict=True)]
    return task.rendering.task_prefix + task.rendering.separator.join([*shown, asked])


def worked(shot: Shot) -> str:
    """The steps a shot shows: its rationale, or the bare conclusion where it has none."""
    return shot.example.rationale or f"{TRIGGER} {CONCLUSION} {shot.target}."


def concluded(prompt: str, text: str) -> str:
    """Prompt and chain up to where the answer would stand: the model's own conclusion, or ours added."""
    found = list(_CONCLUDES.finditer(text))
    if found:
        return prompt + text[: found[-1].end()]
    steps = text.rstrip()
    return prompt + steps + ("" if not steps and prompt.endswith((" ", "\n")) else " ") + CONCLUSION


def stop_strings(task: Task) -> tuple[str, ...]:
    """Where a chain ends early: at the next question, and at a line break where no known rationale has one."""
    rationales = [example.rationale for example in (task.worked or task.examples) if example.rationale]
    lines = ("\n",) if rationales and not any("\n" in rationale for rationale in rationales) else ()
    return (*next_question(task), *lines)


def next_question(task: Task) -> tuple[str, ...]:
    """What the text of another question would begin with, where it begins with anything."""
    begins = (task.rendering.separator + task.rendering.input_prefix).rstrip(" ")
    return (begins,) if begins else ()
