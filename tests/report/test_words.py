"""The catalogue of words: nothing in it that no page says, and a word for every flag of a verdict."""

import re
from pathlib import Path

from scalecurve.report.words import words

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "scalecurve"
MADE = re.compile(r"^(card|held|human)_|^gap:")  # keys put together of a prefix and what is shown


def test_every_word_is_said_somewhere() -> None:
    files = [path for path in SOURCE.rglob("*") if path.suffix in (".py", ".js", ".html")]
    text = "\n".join(path.read_text() for path in files if not path.name.startswith("words"))
    unsaid = [key for key in words("en") if not re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", text)]
    assert [key for key in unsaid if not MADE.match(key)] == []


def test_every_flag_of_a_verdict_has_words() -> None:
    listed = (ROOT / "docs" / "curves.md").read_text().partition("\nFlags: ")[2].partition("\n\n")[0]
    flags = re.findall(r"`([a-z]+(?:-[a-z]+)*)`", listed.replace("`y`", ""))
    assert len(flags) >= 18
    for lang in ("en", "zh"):
        assert [flag for flag in flags if flag not in words(lang)] == []
