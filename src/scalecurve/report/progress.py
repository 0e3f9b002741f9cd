"""How far a run is, from its manifest: cells, answers, failures, and the time left by its own pace."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DONE = ("done", "failed")


@dataclass(frozen=True, slots=True)
class Progress:
    """``share`` of the work that is done, larger models counting more; ``left``: seconds, None where not yet known."""

    cells: int
    done: int
    failed: int
    answers: int
    missing: int
    share: float
    finished: bool
    left: float | None = None


class RunClock:
    """Remembers how far the runs were when first looked at: the pace since then says how long the rest takes."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def look(self, manifests: Sequence[Mapping[str, Any]], now: float | None = None) -> Progress:
        """How far the runs are together; a run without a manifest has not begun. ``now``: seconds of a steady clock."""
        now = time.monotonic() if now is None else now
        done = weight = total = 0.0
        cells: list[Mapping[str, Any]] = []
        for manifest in manifests:
            sizes = {rung.get("name"): _weight(rung) for rung in manifest.get("rungs", [])}
            for cell in manifest.get("cells", []):
                weight = sizes.get(cell.get("rung"), 1.0)
                total += weight
                done += weight * (cell.get("status") in DONE)
                cells.append(cell)
        share = done / total if total else 0.0
        finished = all(manifest.get("finished") for manifest in manifests)
        if self._began is None and total:
            self._began = (now, share)
        return Progress(
            cells=len(cells),
            done=sum(cell.get("status") in DONE for cell in cells),
            failed=sum(cell.get("status") == "failed" for cell in cells),
            answers=sum(cell.get("examples") or 0 for cell in cells if cell.get("status") in DONE),  # planned, else
            missing=sum(cell.get("failed_examples") or 0 for cell in cells),
            share=1.0 if finished else share,
            finished=finished,
            left=None if finished else self._left(now, share),
        )

    def _left(self, now: float, share: float) -> float | None:
        if self._began is None or share <= self._began[1]:
            return None
        began, before = self._began
        return (now - began) * (1 - share) / (share - before)


def _weight(rung: Mapping[str, Any]) -> float:
    """The work of an answer: a constant, and what grows with the model."""
    return 1 + (rung.get("params_non_embedding") or rung.get("params_total") or 0) / 1e6
