"""What a search found: gains on held-out questions with intervals, and the files that make the prompts usable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scalecurve.elicit.space import Candidate
from scalecurve.store.atomic import write_bytes
from scalecurve.types import Example

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scalecurve.elicit.bench import Bench


@dataclass(frozen=True, slots=True)
class Gain:
    """A prompt against the default, on the same ``n`` held-out questions.

    ``gain`` is the mean paired difference (above 0 is better, whatever the metric), ``lo`` and ``hi`` its 95% interval,
    which holds at all models of the task together. ``found`` is the share of texts an answer was found in (None:
    options were scored). ``flag`` is ``extraction`` where the gain is not seen on the questions whose answer was found
    under both prompts. ``chosen_score`` is the score where the prompt was chosen: too good, and no claim.
    """

    prompt: str
    digest: str
    score: float | None
    gain: float | None
    lo: float | None
    hi: float | None
    found: float | None
    tokens: float
    flag: str
    chosen_score: float | None


@dataclass(frozen=True, slots=True)
class RungGain:
    """One model: its score under the default prompt, its own best prompt, and the best prompt for all models."""

    rung: str
    params: int | None
    n: int
    chosen_on: int
    rounds: tuple[tuple[int, int], ...]
    default: float | None
    default_found: float | None
    default_tokens: float
    own: Gain
    common: Gain

    @property
    def understated(self) -> bool:
        """Whether the default prompt is known to understate what the model can do."""
        return _above(self.own.lo) and not self.own.flag


@dataclass(frozen=True, slots=True)
class TaskGains:
    """One task: its models in ascending scale."""

    task: str
    metric: str
    chance: float | None
    candidates: int
    rungs: tuple[RungGain, ...]


@dataclass(frozen=True, slots=True)
class Elicited:
    """All tasks, what was asked for, and what it cost (``cost``: tokens, seconds, cpu_seconds)."""

    asked: Mapping[str, object]
    tasks: tuple[TaskGains, ...]
    cost: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def gains(
    benches: Sequence[Bench],
    default: Candidate,
    winners: Sequence[Candidate],
    asked: Sequence[Sequence[Example]],
    chosen: Sequence[Sequence[Example]],
) -> list[Gain]:
    """The gain of each bench's winner over the default on its ``asked`` questions; bands hold for all together."""
    import numpy as np

    columns = [_differences(b, default, w, items) for b, w, items in zip(benches, winners, asked, strict=True)]
    read = [_differences(b, default, w, items, read=True) for b, w, items in zip(benches, winners, asked, strict=True)]
    bands, bands_read = _bands(columns), _bands(read)
    found = []
    for at, (bench, winner) in enumerate(zip(benches, winners, strict=True)):
        marks = bench.known(winner, asked[at])
        texts = [mark.found for mark in marks if mark.found is not None]
        same = winner.prompt.digest == default.prompt.digest
        mean, lo, hi = (0.0, 0.0, 0.0) if same else bands[at]
        found.append(
            Gain(
                prompt=winner.name,
                digest=winner.prompt.digest,
                score=mean_score(bench, winner, asked[at]),
                gain=mean,
                lo=lo,
                hi=hi,
                found=float(np.mean(texts)) if texts else None,
                tokens=bench.mean_tokens(winner, asked[at]),
                flag="extraction" if texts and _above(lo) and not _above(bands_read[at][1]) else "",
                chosen_score=mean_score(bench, winner, chosen[at]),
            )
        )
    return found


def _above(low: float | None) -> bool:
    return low is not None and low > 0


def _differences(
    bench: Bench, default: Candidate, winner: Candidate, items: Sequence[Example], *, read: bool = False
) -> dict[str, float]:
    """Winner minus default by example id, where both have a score (``read``: and both texts held an answer)."""
    found = {}
    for item in items:
        first, second = (bench.marks.get((candidate.name, item.id)) for candidate in (default, winner))
        if first is None or second is None or first.value is None or second.value is None:
            continue
        if not read or (first.found is not False and second.found is not False):
            found[item.id] = second.value - first.value
    return found


def _bands(columns: Sequence[Mapping[str, float]]) -> list[tuple[float | None, ...]]:
    """(mean, lo, hi) of each column; None where it has no item."""
    from scalecurve.analysis import simultaneous

    some = [at for at, column in enumerate(columns) if column]
    rows: list[tuple[float | None, ...]] = [(None, None, None)] * len(columns)
    if some:
        band = simultaneous(_matrix([columns[at] for at in some]))
        for place, at in enumerate(some):
            rows[at] = tuple(float(band[key][place]) for key in ("mean", "lo", "hi"))
    return rows


def _matrix(columns: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    import numpy as np

    items = list(dict.fromkeys(item for column in columns for item in column))
    return np.array([[column.get(item, np.nan) for column in columns] for item in items])


def mean_score(bench: Bench, candidate: Candidate, items: Sequence[Example]) -> float | None:
    """The mean of the metric over ``items``, in its own units; None where nothing was scored."""
    values = [mark.value for mark in bench.known(candidate, items) if mark.value is not None]
    if not values:
        return None
    return sum(values) / len(values) * (1 if bench.higher_is_better else -1)


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────
def write_prompt(folder: Path, task: str, who: str, candidate: Candidate, chosen_on: Sequence[Example]) -> Path:
    """``prompts/TASK-WHO.toml``: a prompt file for studies, which leaves out what the prompt was chosen on."""
    prompt = replace(candidate.prompt, task=task, chosen_on=tuple(example.id for example in chosen_on))
    path = folder / "prompts" / f"{file_name(task)}-{file_name(who)}.toml"
    write_bytes(path, f"# {candidate.name}\n{prompt.to_toml()}".encode())
    return path


def write_study(folder: Path, study: Mapping[str, object], prompts: Mapping[str, Sequence[str]]) -> Path:
    """``study.toml``: ``study`` with each task asked under the default prompt and under those found (task → files)."""
    import tomli_w

    tasks = [{"ref": ref, "strategies": ["direct", *(f"prompts/{one}" for one in own)]} for ref, own in prompts.items()]
    path = folder / "study.toml"
    write_bytes(path, tomli_w.dumps({**study, "tasks": tasks}).encode())
    return path


def write_result(folder: Path, found: Elicited) -> Path:
    """Write ``elicit.json``, whole, into ``folder``; its path."""
    path = folder / "elicit.json"
    write_bytes(path, json.dumps(found.to_json(), ensure_ascii=False, indent=1).encode())
    return path


def file_name(text: str) -> str:
    """``text`` as a name that every file system takes; "task" where nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-.") or "task"
