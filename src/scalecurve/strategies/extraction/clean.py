"""Text as its writer meant it: full-width forms, signs and quotes made plain, Markdown and LaTeX taken off."""

from __future__ import annotations

import re
import unicodedata

_PLAIN: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
_PLAIN |= dict.fromkeys(map(ord, "\u3000\u00a0\u2007\u2009\u202f\u2002\u2003"), " ")
_PLAIN |= dict.fromkeys(map(ord, "\u2212\u2010\u2011\u2012\ufe63\uff0d"), "-")
_PLAIN |= dict.fromkeys(map(ord, "“”„«»「」『』"), '"') | dict.fromkeys(map(ord, "‘’`´"), "'")
_PLAIN |= dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\u2060"), None)
_PLAIN |= {ord(a): b for a, b in zip("【】〔〕〖〗", "[][][]", strict=True)}
_CIRCLED = {0x24B6 + at: f"({chr(65 + at)})" for at in range(26)}

_LATEX = (
    (re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|emph|operatorname)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"\1/\2"),
    (re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)"), r"\1/\2"),
    (re.compile(r"(?<=\d)\{,\}(?=\d)|\\[,!](?=\s?\d{3})"), ","),
    (re.compile(r"\\[,;:! ]|\\q?quad\b|~"), " "),
    (re.compile(r"\\(?:times|cdot)\b"), "×"),
    (re.compile(r"\\(?:approx|simeq)\b"), "≈"),
    (re.compile(r"\\(?:left|right|displaystyle|implies|Rightarrow)\b"), " "),
    (re.compile(r"\^\s*\{?\\circ\}?|\\degree\b"), "°"),
    (re.compile(r"\\([$%#&_{}])"), r"\1"),
    (re.compile(r"\\[()\[\]]|\$\$"), " "),
    (re.compile(r"(?<![\w$])\$(?!\s?-?[\d.][\d,.]*(?:\s|$|[.,;)]))([^$\n]{1,80}?)\$"), r"\1"),
    (re.compile(r"\$([^$\n]{1,80})\$(?!\d)"), r"\1"),
)
_MARKDOWN = (
    (re.compile(r"</?(?:b|i|u|em|strong|span|p|mark|code)>", re.IGNORECASE), ""),
    (re.compile(r"<br\s*/?>", re.IGNORECASE), "\n"),
    (re.compile(r"\*\*|__"), ""),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"^[ \t]*(?:#{1,3}|#{5,6}|>)[ \t]+", re.MULTILINE), ""),
)


def plain_forms(text: str) -> str:
    """Full-width letters, digits and signs as ASCII; every minus "-", every quote straight; zero-width signs gone."""
    if text.isascii():
        return text.replace("`", "'")
    text = text.translate(_PLAIN).translate(_CIRCLED)
    return re.sub(r"[^\W\d_]|\d", _digit, text) if re.search(r"(?![0-9])\d", text) else text


def mapped(text: str) -> str:
    """``text`` with full-width forms, signs and quotes made plain, letter for letter, so that places stay the same."""
    return text.translate({sign: plain for sign, plain in _PLAIN.items() if plain is not None})


def cleaned(text: str) -> str:
    """``plain_forms`` without Markdown and LaTeX; the content of a box stays, on a line of its own."""
    text = plain_forms(text)
    for _ in range(3):
        before = text
        for form, instead in _LATEX:
            text = form.sub(instead, text)
        if text == before:
            break
    for form, instead in _MARKDOWN:
        text = form.sub(instead, text)
    return text


def boxes(text: str) -> list[tuple[int, int, str]]:
    r"""(start, end, content) of every ``\boxed{…}`` or ``<answer>…</answer>``, in order."""
    found = []
    for head in re.finditer(r"\\f?boxed\s*\{", text):
        depth, at = 1, head.end()
        while at < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if not depth:
            found.append((head.start(), at, text[head.end() : at - 1]))
    for tag in re.finditer(r"<answer>(.*?)</answer>", text, re.IGNORECASE | re.DOTALL):
        found.append((tag.start(), tag.end(), tag[1]))
    return sorted(found)


def unwrapped(text: str) -> str:
    """``text`` without outer blanks, Markdown marks, paired quotes and a box around all of it."""
    text = text.strip()
    while True:
        before = text
        for mark in ("**", "__", "```", "`", "$", "*", "_"):
            if text.startswith(mark) and text.endswith(mark) and len(text) > 2 * len(mark):
                text = text[len(mark) : -len(mark)].strip()
        if len(text) > 2 and (text[0], text[-1]) in {('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」")}:
            inner = text[1:-1]
            text = inner.strip() if text[0] not in inner else text
        whole = re.fullmatch(r"\\(?:f?boxed|text|textbf|mathrm)\s*\{([^{}]*)\}", text)
        text = whole[1].strip() if whole else text
        if text == before:
            return text


def _digit(match: re.Match[str]) -> str:
    """A decimal digit of any script as ASCII; every other letter as it is."""
    value = unicodedata.decimal(match[0], None)
    return match[0] if value is None else str(value)
