"""References that begin with a path."""

from __future__ import annotations

import re
from pathlib import Path

_FORM = re.compile(r"(.*?\.(?:csv|jsonl|json)|.*)((?::[\w=+-]+)*)", re.DOTALL)
"""A path, and what is said of the file (format, kind)."""
_FILES = (".toml", ".json", ".csv", ".jsonl", ".yaml", ".yml")


def absolute_path(ref: str, base: Path) -> str:
    """``ref`` with its path, as seen from ``base``, made absolute; as it is where there is no such file."""
    parts = _FORM.fullmatch(ref)
    path, form = parts.groups("") if parts else ("", "")
    found = ("/" in path or path.endswith(_FILES)) and (base / path).exists()
    return f"{(base / path).resolve()}{form}" if found else ref
