"""Where a text states its answer: boxes, "the answer is …", "Answer: …", "答案是…", "故选…"; the last one counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scalecurve.strategies.extraction.clean import boxes, cleaned, mapped

_ADJECTIVES = (
    r"(?:(?:final|correct|right|best|most\s+\w+|only|actual|closest|overall|single|short|numerical|numeric)\s+)*"
)
_LINK = (
    r"(?:is|was|are|would\s+be|will\s+be|should\s+be|must\s+be|has\s+to\s+be|must\s+have\s+been|becomes"
    r"|comes\s+out\s+to(?:\s+be)?|equals|seems\s+to\s+be|appears\s+to\s+be|might\s+be|could\s+be)\b"
)
_FILLER = (
    r"(?:[\s:=]|(?:therefore|thus|hence|simply|clearly|indeed|actually|then|just|likely|probably|definitely)\b,?)*"
)
_ENGLISH = re.compile(
    rf"\b{_ADJECTIVES}(?:answers?|solution)(?:\s+(?:choice|option|letter))?"
    r"(?:\s*\([^()\n]{0,40}\)|\s+(?:to|for|of|in|here|from|among|that|I|we)\b[^.:\n]{0,90}?)?"
    rf"['\"*_]*\s*(?:(?:{_LINK})(?!\s+not\b)|(?=can(?:not|'t| not)\b|could not\b)|:|=|→|->)"
    rf"(?:\*\*(?=\s)|__(?=\s))?{_FILLER}",
    re.IGNORECASE,
)
_CORRECT = re.compile(
    rf"\b{_ADJECTIVES}(?<=\s)(?:choice|option|letter|statement)(?:\s+(?:here|for|to|among)\b[^.:\n]{{0,60}}?)?"
    rf"\s*(?:(?:{_LINK})(?!\s+not\b)|:){_FILLER}",
    re.IGNORECASE,
)
_HASHES = re.compile(r"(?:^|\n)\s*####\s*(?:(?:final\s+)?answer\s*:?\s*)?", re.IGNORECASE)
_CHINESE = re.compile(
    r"(?:答案|结果|正确选项|正确的选项|正确答案)(?:应该|应当|应|就|便|只能|显然)?"
    r"(?:选择|选项|选|(?:是|为)(?!否正确)(?:选项)?|:|=)+[\s:=]*(?:选项)?|(?:^|[\n。;,，;])\s*答[:]\s*"
)
_CHINESE_OPTION = re.compile(
    r"(?<![不可备单多供待])(?:故选|应选|应该选|因此选|所以选|选择|选)\s*(?:选项|答案)?[:是为]?\s*"
    r"(?=[\"'(\[]?[A-Z]\b|[\"'(\[]?[A-Z](?![A-Za-z]))"
)
_NEXT_QUESTION = re.compile(
    r"\n+\s*(?:#+\s*)?\**(?:Q|Question|Input|Problem|Exercise|Example)\s?\d*\s*[:.)]\**\s|\n+\s*(?:问题?|题目)\s?\d*\s*[::]"
)
_DECLINED = re.compile(
    r"\W*(?:unknown|unclear|not\s+(?:clear|given|known|possible|enough)|undetermined|indeterminate|uncertain|impossible"
    r"|cannot|can't|none\b|n/?a\b|不(?:知道|确定|清楚)|无法|未知)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What stands after a phrase that states an answer, up to the next such phrase; ``raw`` with its marks."""

    start: int
    raw: str

    @property
    def text(self) -> str:
        return cleaned(self.raw)

    @property
    def declined(self) -> bool:
        """Whether it says that there is no answer."""
        return bool(_DECLINED.match(self.text))


def own_part(text: str) -> str:
    """``text`` up to where it goes on with a question of its own making."""
    following = next((m for m in _NEXT_QUESTION.finditer(text) if text[: m.start()].strip()), None)
    return text if following is None else text[: following.start()]


def claims(text: str, *, letters: bool = False) -> list[Claim]:
    """The statements of an answer in ``text``, in order; with ``letters`` those that only options have, too."""
    original, text = text, mapped(text)
    found = {start: Claim(start, content) for start, _, content in boxes(text)}
    inside = [(start, end) for start, end, _ in boxes(text)]
    forms = [_ENGLISH, _HASHES, _CHINESE, *((_CORRECT, _CHINESE_OPTION) if letters else ())]
    heads = [match for form in forms for match in form.finditer(text)]
    heads = [head for head in heads if not any(start <= head.start() < end for start, end in inside)]
    heads.sort(key=lambda head: (head.end(), -head.start()))
    starts = sorted({head.start() for head in heads} | set(found))
    for head in heads:
        later = next((start for start in starts if start > head.start() and start >= head.end()), len(text))
        boxed = next((start for start, _ in inside if head.end() <= start <= head.end() + 3), None)
        if boxed is None:
            found[head.start()] = Claim(head.start(), original[head.end() : later])
    return [found[start] for start in sorted(found)]
