"""``--attach name=path``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError


def attachments(given: Sequence[str], frames: Mapping[str, object] | None = None) -> dict[str, Any]:
    """name → source of every ``name=path``; a bare path is called after its file.

    ``frames``: data frames by the names of variables, which may stand in place of a path.
    """
    found: dict[str, object] = {}
    for each in given:
        name, is_named, path = each.partition("=")
        if not is_named:
            name, path = Path(each).stem, each
        if not name or not path:
            raise UserError(f"--attach {each}: write --attach name=path")
        if name in found:
            raise UserError(f"--attach {each}: two tables are called {name}; rename one")
        frame = (frames or {}).get(path)
        found[name] = frame if hasattr(frame, "to_arrow") or hasattr(frame, "to_pylist") else path
    return found
