"""Thinking text and the answer after it, told apart by the tags of models that write both into one text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = "think|thinking|thought|reasoning|reflection"
_OPEN = re.compile(rf"<\s*(?:{_NAMES})\s*>|◁think▷|\[THINK\]|<\|channel\|>\s*analysis\s*<\|message\|>", re.IGNORECASE)
_CLOSE = re.compile(rf"<\s*/\s*(?:{_NAMES})\s*>|◁/think▷|\[/THINK\]|<\|end\|>", re.IGNORECASE)
_FINAL = re.compile(r"<\|start\|>\s*assistant|<\|channel\|>\s*final\s*<\|message\|>|<\|return\|>", re.IGNORECASE)
_AT_END = re.compile(rf"(?:{_OPEN.pattern})\s*\Z", re.IGNORECASE)
_BEGINNING = re.compile(r"\s*(?:<\s*[a-z]{0,10}|\[T?H?I?N?K?|<\|[a-z|]*\Z|◁[a-z]*)?\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Thought:
    """``thinking`` and ``answer`` of one text; ``closed`` is false where the text ended while it was still thinking."""

    thinking: str
    answer: str
    closed: bool = True


def split_thinking(text: str) -> Thought:
    """``text`` taken apart at its thinking tags.

    A closing tag without an opening one ends thinking that began in the prompt; an opening tag without a closing one
    was cut off, and nothing after it is an answer. Text without tags is all answer, unchanged.
    """
    thoughts: list[str] = []
    rest, answer = text, ""
    while True:
        begin, end = _OPEN.search(rest), _CLOSE.search(rest)
        if end is not None and (begin is None or end.start() < begin.start()):
            thoughts.append(answer + rest[: end.start()])
            answer, rest = "", rest[end.end() :]
        elif begin is None:
            break
        else:
            answer, inner = answer + rest[: begin.start()], rest[begin.end() :]
            end = _CLOSE.search(inner)
            if end is None:
                thoughts.append(inner)
                return Thought("\n".join(thoughts).strip(), answer.strip(), closed=False)
            thoughts.append(inner[: end.start()])
            rest = inner[end.end() :]
    if not thoughts:
        return Thought("", text)
    return Thought("\n".join(thoughts).strip(), _FINAL.sub("", answer + rest).lstrip("\n"))


def opened_by(prompt: str) -> str:
    """The thinking tag that ``prompt`` ends with, as some chat templates write it; "" where it ends otherwise."""
    found = _AT_END.search(prompt[-100:])
    return found[0].strip() if found else ""


def answer_begins(text: str, prompt: str = "", *, expected: bool = False) -> int | None:
    """Where the answer begins in a text that may think first: 0 without thinking, None while it is still thinking.

    ``expected``: a text that is blank so far, or a tag in the making, is not taken for an answer yet.
    """
    last_close = max((match.end() for match in _CLOSE.finditer(text)), default=0)
    if _OPEN.search(text, last_close) or (not last_close and opened_by(prompt)):
        return None
    if not last_close and expected and _BEGINNING.match(text):
        return None
    after = text[last_close:]
    return last_close + (len(after) - len(after.lstrip("\n")) if last_close else 0)
