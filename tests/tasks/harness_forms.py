"""Forms of documents for tasks of lm-evaluation-harness: fields filled in by a number."""

from collections.abc import Callable
from typing import Any

Doc = dict[str, Any]
Table = dict[str, tuple[Callable[[int], Doc], Callable[[int], tuple[str, str]] | None]]
"""Task → (how its n-th document looks, what a model that knows it says, by a text of its question)."""

WORDS = ("apple", "river", "stone", "cloud", "tiger", "violin")
LETTERS = "ABCDE"


def plain(**more: Any) -> Callable[[int], Doc]:
    """Every text with {n} and {w} filled in; what is callable gets n."""

    def doc(n: int) -> Doc:
        return {name: fill(value, n) for name, value in more.items()}

    return doc


def fill(value: Any, n: int) -> Any:
    if callable(value):
        return value(n)
    if isinstance(value, str):
        return value.replace("{n}", str(n)).replace("{w}", WORDS[n % 6])
    if isinstance(value, list):
        return [fill(one, n) for one in value]
    if isinstance(value, dict):
        return {name: fill(one, n) for name, one in value.items()}
    return value


def says(question: str, answer: str) -> Callable[[int], tuple[str, str]]:
    return lambda n: (fill(question, n), fill(answer, n))


FOUR = ["the {w} number {n}", "a quiet street", "three old books", "no answer at all"]
ABCD = plain(question="What is at place {n}, the {w}?", choices=FOUR, answer=lambda n: n % 4)
GPQA = plain(
    **{
        "Question": "Which {w} decays {n} times?",
        "Correct Answer": "the {w} [title] of {n}",
        "Incorrect Answer 1": "none",
        "Incorrect Answer 2": "all  of them",
        "Incorrect Answer 3": "only {n}",
    }
)
