"""Numbers: signs, grouped digits, decimals, exponents, fractions, currency, percent, words; English and Chinese."""

from __future__ import annotations

import re
from fractions import Fraction

from scalecurve.strategies.extraction.clean import plain_forms

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_ONES += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALES |= {"dozen": 12, "万": 10**4, "亿": 10**8}
_WORD = "|".join([*sorted([*_ONES, *_TENS], key=len, reverse=True), *list(_SCALES)[:5]])
_WORDS = re.compile(
    rf"(?:(?:minus|negative)\s+)?(?:a\s+(?=hundred|thousand|million))?(?:{_WORD})(?:(?:[\s-]+|\s+and\s+)(?:{_WORD}))*\b",
    re.I,
)
_HAN = re.compile("负?[零〇一二两三四五六七八九十百千万亿]+")
_HAN_DIGITS = dict(zip("零〇一二三四五六七八九两", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2), strict=True))
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5"}
_VULGAR |= {"⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_DIGITS = (
    r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d{1,3}(?:'\d{3})+(?!\d)|\d{1,3}(?:[ _]\d{3})+(?![\d\w])"
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\d)|\d+)"
)
_NUMBER = re.compile(
    rf"(?P<sign>(?:(?<![\w)\]])[-+]|(?<=[$€£¥])-|(?<=\s)[-+](?=[$€£¥\d.])|\b(?:minus|negative)\s+|负)\s?)?[$€£¥₹]?\s?"
    rf"(?P<whole>{_DIGITS}(?:\.\d+)?|\.\d+)"
    r"(?P<exponent>[eE][-+]?\d+(?!\w)|\s*[×x*]\s*10\s*(?:\^|\*\*)\s*[({]?\s*-?\d+\s*[)}]?)?"
    r"(?P<power>\s?(?:\^|\*\*)\s*[({]?-?\d+[)}]?)?"
    r"(?P<mixed>\s+\d+\s?/\s?\d+(?![\d/]))?"
    r"(?P<under>\s?/\s?(?=\d)\d+(?:\.\d+)?(?![\d/]))?"
    r"(?P<scale>\s*(?:thousand|million|billion|trillion|dozen)\b|\s*[万亿])?",
)
_BROKEN = re.compile(r"[\d.]*[:/]\d|\d*,\d{1,2}(?!\d)")  # times, ratios, dates and decimal commas: none is one number
_RANGE = re.compile(r"\s*(?:-|–|—|~|to\b|or\b|或|至|到)\s*[$€£¥]?\d", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s+[$€£¥]?-?[\d.,]+\s+and\s+[$€£¥]?-?\d", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}([/-])\d{1,2}\1\d{1,4}|\d{4}\s*年|\d:\d\d")
_SEVERAL = re.compile(r"[\s(\[{]*-?\d[\d.]*(?:\s*(?:,\s|,?\s*and\b|;|&|、|和)\s*-?\d[\d.]*)+[\s)\]}.]*")
LARGEST_EXPONENT = 300


def numbers_in(text: str) -> list[tuple[int, int, str]]:
    """(start, end, numeral) of every number written in digits; dates, times and ratios are left out."""
    text = prepared(text)
    barred = [match.span() for match in _DATE.finditer(text)]
    found = []
    for match in _NUMBER.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in barred):
            continue
        if (
            match.start()
            and text[match.start("whole") - 1] in ":,"
            and text[match.start("whole") - 2 : match.start("whole") - 1].isdigit()
        ):
            continue
        if _BROKEN.match(text[match.end() :][:4]) and text[match.end() : match.end() + 1] in (":", "/", ","):
            continue
        before = text[match.start("whole") - 1 : match.start("whole")]
        if before.isalpha() and before.isascii() and not match["sign"]:
            continue  # "H2O", "x2"
        value = _value(match)
        if value is not None:
            found.append((match.start(), match.end(), shown(value)))
    return found


def number_in(text: str, *, last: bool = False) -> str:
    """The number that ``text`` states: of an equation its right side, of several the first (or ``last``); "" for none.

    Ranges and alternatives ("3 to 5", "3 or 4") state none.
    """
    text = prepared(text)
    for line in reversed(text.split("\n")) if last else text.split("\n"):
        line = _last_sentence(line) if last else line
        found = numbers_in(line)
        if not found:
            continue
        if _BETWEEN.search(line):
            return ""
        _, end, value = found[-1 if last else 0]
        if last:
            return value
        if len(found) > 1 and _SEVERAL.fullmatch(line):
            return ""
        right = _right_side(line, found)
        if not right and _RANGE.match(line[end:]) and len(found) > 1:
            return ""
        return right or value
    return ""


def words_in(text: str) -> str:
    """The number that ``text`` begins with in words, "seven" or "四十二"; "" for none."""
    text = text.strip(" \t\n\"'(*:").removeprefix("that ").removeprefix("about ")
    match = _WORDS.match(text)
    if match and not re.match(
        r"\s+(?:of|hal(?:f|ves)|thirds?|quarters?|fifths?|tenths?|or)\b|-", text[match.end() :], re.I
    ):
        return shown(_spelled(match[0].lower()))
    han = _HAN.match(text)
    if han and not re.match("[些样个半定直起]|分之", text[han.end() :].removeprefix("个")):
        value = _han(han[0])
        return "" if value is None else shown(Fraction(value))
    return ""


def read_number(text: str) -> Fraction | None:
    """The value of a text that is one number and nothing else ("7", "7.0", "1,234", "3/4", "$5", "50%", "seven")."""
    text = prepared(plain_forms(text).strip()).strip().removesuffix(".").removesuffix("%").strip()
    match = _NUMBER.fullmatch(text)
    if match:
        return _value(match)
    if _WORDS.fullmatch(text):
        return _spelled(text.lower())
    han = _han(text) if _HAN.fullmatch(text) else None
    return None if han is None else Fraction(han)


def prepared(text: str) -> str:
    """``text`` with fractions and powers of one sign written out."""
    for sign, fraction in _VULGAR.items():
        if sign in text:
            text = re.sub(rf"(?<=\d)\s?{sign}", f" {fraction}", text).replace(sign, fraction)
    text = text.replace("⁄", "/").replace("–", "-") if re.search(r"⁄|(?<![\d\w])–\s?\d", text) else text
    return re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: "^" + power[0].translate(_SUPERSCRIPT), text)


def shown(value: Fraction) -> str:
    """A value as a numeral: decimal where it ends, else a fraction in lowest terms."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, digits = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        digits = max(digits, count)
    if rest > 1 or digits > LARGEST_EXPONENT:
        return f"{value.numerator}/{value.denominator}"
    scaled = str(abs(value.numerator) * 10**digits // value.denominator).rjust(digits + 1, "0")
    return f"{'-' if value < 0 else ''}{scaled[:-digits]}.{scaled[-digits:]}"


def _value(match: re.Match[str]) -> Fraction | None:
    whole = re.sub("[,' _]", "", match["whole"])
    if whole.count(".") > 1:
        whole = whole.replace(".", "")
    if len(whole) > 2 * LARGEST_EXPONENT:
        return None
    value = Fraction(whole)
    if match["exponent"]:
        power = int(re.findall(r"-?\d+", match["exponent"])[-1])
        if abs(power) > LARGEST_EXPONENT:
            return None
        value *= Fraction(10) ** power
    if match["power"]:
        power = int(re.findall(r"-?\d+", match["power"])[-1])
        if abs(power) > LARGEST_EXPONENT or value == 0 or abs(value) > 10**6:
            return None
        value = value**power
    if match["mixed"]:
        above, under = map(int, re.findall(r"\d+", match["mixed"]))
        if not under:
            return None
        value += Fraction(above, under)
    if match["under"]:
        under_value = Fraction(match["under"].strip(" /"))
        if not under_value:
            return None
        value /= under_value
    if match["scale"]:
        value *= _SCALES[match["scale"].strip()]
    negative = match["sign"] and re.match(r"-|minus|negative|负", match["sign"].strip(), re.IGNORECASE)
    return -value if negative else value


def _right_side(line: str, found: list[tuple[int, int, str]]) -> str:
    """The number after the last "=" of the sum that ``line`` begins with, as in "5 + 3 = 8 apples"; "" without one."""
    sentence = re.split(r"(?<=[^\d\s])[.;]\s|(?<=\d)[.;]\s+(?=[A-Z])", line, maxsplit=1)[0]
    if re.match(r"[^=≈]*(?:\(|,\s|\b(?:because|since|not|as|so|which|instead|rather|when|if)\b)", sentence):
        return ""
    if not re.match(r"[^=≈]*[\d)%°\w]\s*(?:=|≈)", sentence) or not re.search(
        r"\d\s*[-+*/×÷x^%].*=|\w\s*[=≈]", sentence
    ):
        return ""
    sign = max(sentence.rfind("="), sentence.rfind("≈"))
    after = [value for start, _, value in found if sign < start < len(sentence)]
    return after[0] if after else ""


def _last_sentence(line: str) -> str:
    parts = [
        part for part in re.split(r"(?<=[^\d\s])[.!?]\s+|(?<=\d)[.!?]\s+(?=[A-Z])", line) if re.search(r"\d", part)
    ]
    return parts[-1] if parts else line


def _spelled(words: str) -> Fraction:
    total = group = 0
    sign = 1
    for word in re.split(r"[\s-]+", words):
        if word in ("minus", "negative"):
            sign = -1
        elif word in _ONES:
            group += _ONES.index(word)
        elif word in _TENS:
            group += 10 * (_TENS.index(word) + 2)
        elif word == "hundred":
            group = (group or 1) * 100
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0
    return Fraction(sign * (total + group))


def _han(text: str) -> int | None:
    """The value of Chinese numerals, "一百零五"; None for what is no number, as "一二"."""
    sign = -1 if text.startswith("负") else 1
    total = group = 0
    digit: int | None = None
    for letter in text.removeprefix("负"):
        if letter in _HAN_DIGITS:
            if digit:
                return None
            digit = _HAN_DIGITS[letter]
        elif letter in _HAN_UNITS:
            group += (1 if digit is None else digit) * _HAN_UNITS[letter]
            digit = None
        else:
            total = (total + group + (digit or 0)) * _SCALES[letter]
            group, digit = 0, None
    return sign * (total + group + (digit or 0))
