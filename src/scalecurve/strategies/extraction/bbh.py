"""The scoring of BIG-Bench Hard, kept as it is (Suzgun et al. 2022, arXiv 2210.09261)."""

from __future__ import annotations

import re

from scalecurve.strategies.extraction.kinds import AnswerType

_SO_THE_ANSWER = re.compile(r"so the answer is", re.IGNORECASE)


class BigBenchHard:
    """What follows the first "so the answer is" of a chain, or the whole text, without blanks and one final period."""

    name = "bbh"

    def find(self, text: str, kind: AnswerType, *, few_shot: bool) -> str:
        return bbh_answer(text, chain=few_shot)


def bbh_answer(text: str, *, chain: bool) -> str:
    """The answer in an output of BIG-Bench Hard: the text without blanks and one final period.

    Of a ``chain``, what follows its first "so the answer is" (in any case); the whole text where that is missing.
    """
    found = _SO_THE_ANSWER.search(text) if chain else None
    answer = text if found is None else text[found.end() :]
    return answer.strip().removesuffix(".").strip()
