"""From a generated text to the answer in it, by kind of answer and rule; "" where there is none.

``robust`` is the default of every strategy. ``kojima`` and ``bbh`` are the published rules of Kojima et al. (2022) and
of BIG-Bench Hard, kept as they are so that published scores can be reproduced. An answer that is not found is empty,
never a guess: empty answers are counted by the metric ``extraction_rate``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scalecurve.errors import UserError
from scalecurve.strategies.extraction.bbh import BigBenchHard, bbh_answer
from scalecurve.strategies.extraction.dates import read_date
from scalecurve.strategies.extraction.kinds import AnswerType, answer_type, bare, infer_type, listed_options
from scalecurve.strategies.extraction.kojima import Kojima
from scalecurve.strategies.extraction.numbers import read_number
from scalecurve.strategies.extraction.others import items_of
from scalecurve.strategies.extraction.robust import Robust

RULES = ("robust", "kojima", "bbh")
_PUBLISHED = {rule.name: rule for rule in (Kojima(), BigBenchHard())}
_ROBUST = Robust()

__all__ = [
    "RULES",
    "AnswerType",
    "answer_type",
    "bbh_answer",
    "find_answer",
    "infer_type",
    "listed_options",
    "spelled_as",
]


def find_answer(
    text: str,
    kind: AnswerType,
    rule: str = "robust",
    *,
    few_shot: bool = False,
    texts: Mapping[str, str] | None = None,
    cut: bool = False,
) -> str:
    """The answer of type ``kind`` in ``text``, or "".

    With ``few_shot`` the text is a chain of steps that ends in its answer, else the reply to a trigger such as "the
    answer is". ``texts`` (letter → text of the option) lets ``robust`` know an option by what it says.
    ``cut``: the chain was ended by its limit; ``robust`` then takes a statement only, never what the chain comes to.
    """
    if rule not in RULES:
        raise UserError(f"settings.extraction: {rule!r}: use {', '.join(RULES[:-1])} or {RULES[-1]}")
    if rule == _ROBUST.name:
        return _ROBUST.find(text, kind, few_shot=few_shot, texts=texts, cut=cut)
    return _PUBLISHED[rule].find(text, kind, few_shot=few_shot)


def spelled_as(found: str, kind: AnswerType, candidates: Sequence[str]) -> str:
    """``found`` in the spelling of the candidate it equals: "7.0" and "7", "C" and "(C)", "no" and "No" are equal."""
    exact = next((candidate for candidate in candidates if candidate.strip() == found.strip() and found), None)
    if exact is not None:
        return exact
    return next((candidate for candidate in candidates if _same(found, candidate, kind)), found)


def _same(found: str, candidate: str, kind: AnswerType) -> bool:
    if not found:
        return False
    match kind.name:
        case "number":
            value = read_number(found)
            return value is not None and value == read_number(candidate)
        case "option":
            return bare(found) == bare(candidate)
        case "date":
            day = read_date(found)
            return day is not None and day == read_date(candidate, whole=True)
        case "list":
            return [item.lower() for item in items_of(found)] == [item.lower() for item in items_of(candidate)]
    return found.strip().lower() == candidate.strip().lower()
