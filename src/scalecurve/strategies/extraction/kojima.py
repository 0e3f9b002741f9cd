"""The published cleansing of answers, kept as it is (Kojima et al. 2022, arXiv 2205.11916)."""

from __future__ import annotations

import re

from scalecurve.strategies.extraction.kinds import AnswerType

FEW_SHOT_PHRASE = "The answer is"


class Kojima:
    """The first match; with shots the first after the last "The answer is", or the last of all where it is missing."""

    name = "kojima"

    def find(self, text: str, kind: AnswerType, *, few_shot: bool) -> str:
        concluded = False
        if few_shot:
            _, phrase, after = text.rpartition(FEW_SHOT_PHRASE)
            text, concluded = (after, True) if phrase else (text, False)
        found = self._matches(text, kind)
        if not found:
            return ""
        return found[-1 if few_shot and not concluded else 0].removesuffix(".")

    def _matches(self, text: str, kind: AnswerType) -> list[str]:
        if kind.name == "number":
            return re.findall(r"-?\d+\.?\d*", text.replace(",", ""))
        if kind.name == "option":
            return re.findall(f"[A-{kind.last or 'Z'}]", text)
        if kind.name == "yes_no":
            words = re.sub(r"[\"'\n.\s:,]", " ", text.lower()).split(" ")
            return [word for word in words if word in ("yes", "no")]
        if kind.name == "letters":
            said = re.sub(r"[\"'\n.\s]", "", text)
        else:
            said = text.strip().split("\n", 1)[0].strip().removesuffix(".").strip(" \t\"'").removesuffix(".")
        return [said] if said else []
