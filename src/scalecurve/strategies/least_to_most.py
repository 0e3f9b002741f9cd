"""Least-to-most: the question is broken into smaller ones, which are answered in order (Zhou et al. 2022, 2205.10625).

Everything is one growing text, so that each stage reads only what is new:

    <question>Let's break this down into smaller questions:
    1. <first smaller question>
    2. <second smaller question>

    Question 1: <first smaller question>
    Answer 1: <its answer>
    Question 2: …
    Therefore, the answer is <answer>.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scalecurve.errors import UserError
from scalecurve.strategies.chain_of_thought import next_question
from scalecurve.strategies.protocol import Asking, Question, strategy
from scalecurve.strategies.render import element
from scalecurve.strategies.scoring import accounting, scored_fields, spaced_requests
from scalecurve.strategies.shots import Shot
from scalecurve.strategies.typed import respond, setting, type_of
from scalecurve.types import Answer, Request

LEAD = "Let's break this down into smaller questions:"
MOST = 5
_ITEM = re.compile(r"\s*(?:\d+[.)]|[-*•])\s*(\S.*?)\s*")


@strategy("least_to_most")
def least_to_most(question: Question) -> Asking:
    """Ask for smaller questions, answer each with the earlier answers in view, then the question itself.

    Settings: ``subquestions`` (default 5): more than so many are not asked (flag ``subquestions_cut``); ``decompose``:
    the sentence that asks for them; ``subanswer_tokens`` (default: ``step_tokens``) of each smaller answer;
    ``answer_trigger``, ``answer_type`` and ``extraction`` as in ``zero_shot_cot``. The flag ``subquestions:N`` says how
    many were asked; with none (``undecomposed``) the answer is asked for at once. Shots whose example has
    ``metadata["subquestions"]``, a list of [question, answer], are shown broken down; others are shown answered.
    """
    task, query = question.task, question.query
    most = setting(question, "subquestions", int, MOST)
    tokens = setting(question, "subanswer_tokens", int, question.step_tokens)
    lead = setting(question, "decompose", str, LEAD)
    if most < 1 or tokens < 1:
        raise UserError("settings: subquestions and subanswer_tokens must be at least 1")
    kind = type_of(question)
    trigger = setting(question, "answer_trigger", str, kind.trigger)
    shown = [element(task, shot.example) + worked(shot, lead, trigger) for shot in query.shots]
    bare = task.rendering.task_prefix + task.rendering.separator.join([*shown, element(task, query.example)])
    prompt = f"{bare}{lead}\n1."

    stop = ("\n\n", *next_question(task))
    (listed,) = yield (Request(prompt, max_tokens=question.step_tokens, stop=stop),)
    found = subquestions("1." + listed.texts[0], query.example.input)
    replies, text = [listed], f"{bare}{lead}\n{_list(found[:most])}" if found else bare
    for number, smaller in enumerate(found[:most], start=1):
        text += f"\nQuestion {number}: {smaller}\nAnswer {number}:"
        (reply,) = yield (Request(text, max_tokens=tokens, stop=("\n",)),)
        replies.append(reply)
        text += f" {reply.texts[0].strip()}"
    text += f"\n{trigger}" if found else trigger

    requests = spaced_requests(question, text)
    if "text" in question.wants:
        requests["text"] = Request(text, max_tokens=question.answer_tokens)
    final = yield tuple(requests.values())
    outputs = dict(zip(requests, final, strict=True))
    said = outputs["text"].texts[0] if "text" in outputs else None
    return Answer(
        example_id=query.example.id,
        prompt=prompt,
        text=None if said is None else f"{text.removeprefix(bare)}{said}",
        response=None if said is None else respond(question, said, kind, few_shot=False),
        **scored_fields(question, outputs),
        **accounting(*replies, *final, flags=_flags(found, most)),
    )


def subquestions(text: str, whole: str) -> list[str]:
    """The items of the list that ``text`` begins with, each once, without ``whole`` (the question itself)."""
    found: list[str] = []
    for line in text.strip().split("\n"):
        item = _ITEM.fullmatch(line)
        if item is None:
            break
        if item[1] not in found and item[1] != whole.strip():
            found.append(item[1])
    return found


def worked(shot: Shot, lead: str = LEAD, trigger: str = "Therefore, the answer is") -> str:
    """What a shot shows: its smaller questions answered one by one, or its bare answer where it has none."""
    pairs = shot.example.metadata.get("subquestions")
    if not pairs:
        return shot.target
    if not all(isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2 for pair in pairs):
        raise UserError(f"example {shot.example.id}: subquestions must be a list of [question, answer]")
    steps = "".join(f"\nQuestion {n}: {ask}\nAnswer {n}: {answer}" for n, (ask, answer) in enumerate(pairs, start=1))
    return f"{lead}\n{_list([ask for ask, _ in pairs])}{steps}\n{trigger} {shot.target}."


def _list(items: Sequence[str]) -> str:
    return "".join(f"{number}. {item}\n" for number, item in enumerate(items, start=1))


def _flags(found: Sequence[str], most: int) -> tuple[str, ...]:
    flags = [f"subquestions:{min(len(found), most)}"] if found else ["undecomposed"]
    if len(found) > most:
        flags.append("subquestions_cut")
    return tuple(flags)
