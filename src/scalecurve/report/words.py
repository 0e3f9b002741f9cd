"""The report's words in every language it speaks. A language is one column: key → (English, Simplified Chinese)."""

from __future__ import annotations

from collections.abc import Mapping

from scalecurve.errors import UserError
from scalecurve.report.words_comparison import COMPARISON
from scalecurve.report.words_field import FIELD
from scalecurve.report.words_page import PAGE

LANGUAGES = ("en", "zh")
HTML_LANGUAGE = {"en": "en", "zh": "zh-Hans"}


def words(lang: str) -> dict[str, str]:
    """Key → word in ``lang``; ``UserError`` for a language not spoken."""
    return _column(PAGE | FIELD, lang)


def comparison_words(lang: str) -> dict[str, str]:
    """The words of the page of two sides compared, as ``words``."""
    return _column(COMPARISON, lang)


def _column(table: Mapping[str, tuple[str, str]], lang: str) -> dict[str, str]:
    if lang not in LANGUAGES:
        raise UserError(f"--lang: {lang!r} is not known; choose {' or '.join(LANGUAGES)}")
    column = LANGUAGES.index(lang)
    return {key: pair[column] for key, pair in table.items()}
