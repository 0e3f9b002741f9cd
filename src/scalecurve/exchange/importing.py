"""From files of other harnesses to a run directory, which appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scalecurve import __version__
from scalecurve.exchange.answers import Answers
from scalecurve.exchange.families import Families
from scalecurve.exchange.scores import Scores
from scalecurve.exchange.shape import Asked, Model, Point, Samples
from scalecurve.exchange.sources import digest, find_sources
from scalecurve.nouns import Cell, Postprocess, Rendering, Rung, Task, UserError
from scalecurve.runs import derive
from scalecurve.runs.atomic import whole_directory, write_parquet
from scalecurve.runs.directory import RunDirectory
from scalecurve.runs.manifest import environment

LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to: models no family file knows, what is missing, and notes, one line each."""

    unmatched: tuple[Model, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: int = 0
    scores: int = 0
    answers: int = 0


def import_files(
    paths: Sequence[Path],
    run: RunDirectory,
    source: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    shots: int | None = None,
    arms: Sequence[str] = (),
    families: Sequence[str] = (),
    finish: Callable[[RunDirectory], None] = lambda run: None,
) -> Imported:
    """Make ``run`` of result files, or folders of them.

    ``source`` is a format's name, or ``auto``. ``columns`` maps our names to a table's columns, ``shots`` is for files
    that do not say. An arm ``gsm8k_cot=gsm8k:chain_of_thought`` files a task as another asked under a strategy.
    ``families`` are family files to find models in before those that ship. ``finish`` is done before the directory
    takes its name. Raises ``UserError`` for a damaged or unknown file, two results of one cell, two versions of a task.
    """
    if run.manifest.exists():
        raise UserError(f"{run.path}: is a run already; give another directory")
    heads, left = find_sources(paths, source, columns, shots)
    with whole_directory(run.path) as making:
        work = _Work(RunDirectory(making), Families(families), _arms(arms))
        files: dict[Path, None] = {}
        noted: dict[str, list[Path]] = {}
        for reader, head in heads:
            with _as_written(reader.name, head.path):
                for found in reader.read(head):
                    work.add(found, head.path)
            files |= dict.fromkeys([head.path, *head.used])
            for note in head.notes:
                noted.setdefault(note, []).append(head.path)
        for note, where in noted.items():
            more = f" and {len(where) - 1} more files" if len(where) > 1 else ""
            work.notes.append(f"{where[0]}{more}: {note}")
        if left:
            names = ", ".join(str(path) for path in left[:3]) + (", …" if len(left) > 3 else "")
            work.notes.append(f"{len(left)} files in other layouts were left out: {names}")
        work.write([{"file": path.name, "sha256": digest(path)} for path in files], paths[0])
        finish(work.run)
        return Imported(
            tuple(work.unmatched),
            tuple(work.scores.missing()),
            tuple(dict.fromkeys([*work.notes, *work.scores.notes])),
            len(files),
            len(work.scores.points),
            sum(cell["examples"] for cell in work.answers.cells),
        )


@contextmanager
def _as_written(name: str, path: Path) -> Iterator[None]:
    """Readers look at what they need; where another thing stands in its place, the file is not the harness's own."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise UserError(
            f"{path}: it, or a file beside it, is not as {name} writes it ({why}); copy it again"
        ) from error


@dataclass
class _Work:
    """An import under way."""

    run: RunDirectory
    families: Families
    arms: Mapping[str, tuple[str, str]]
    started: str = field(default_factory=lambda: _now())
    placed: dict[tuple[str, str, str], tuple[str, Rung]] = field(default_factory=dict)
    unmatched: list[Model] = field(default_factory=list)
    versions: dict[tuple[str, str], tuple[str, Path]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scores = Scores()
        self.answers = Answers(self.run)

    def add(self, found: Point | Samples, path: Path) -> None:
        asked = self._in_its_arm(found.asked)
        self._same_version(asked, path)
        _check_counts(found, path)
        cell = self._cell(asked)
        if isinstance(found, Point):
            self.scores.add(cell, replace(found, asked=asked), path)
            return
        try:
            items = self.answers.add(cell, asked, found)
        except OverflowError:
            raise UserError(f"{found.path}: {asked.task}: holds a number too large to be a count of tokens") from None
        self.scores.add_items(cell, asked, items, found)

    def write(self, files: list[dict[str, str]], first: Path) -> None:
        """The published tables, the manifest, and what follows from them."""
        if not self.scores.points and not self.answers.cells:
            raise UserError(f"{first}: holds no score; give result files of a finished evaluation")
        points, items = self.scores.tables(self.answers)
        if not self.scores.points and not any(self.answers.companions(ref) for ref in self._refs()):
            raise UserError(f"{first}: holds answers but no score, and none can be computed from them")
        write_parquet(self.run.published_points, points)
        if items is not None:
            write_parquet(self.run.published_scores, items)
        cells = self.answers.cells
        summed = ("examples", "failed_examples", "prompt_tokens", "generated_tokens", "seconds")
        self.run.write_manifest(
            {
                "scalecurve": __version__,
                "study": "imported results",
                "created": self.started,
                "finished": _now(),
                "environment": environment(),
                "imported": files,
                "rungs": [
                    {"family": family, **asdict(rung), "fingerprint": ""} for family, rung in self.placed.values()
                ],
                "tasks": [self._task(ref) for ref in self._refs()],
                "cells": cells,
                "totals": {
                    "cells": len(cells),
                    "failed_cells": 0,
                    **{name: sum(cell[name] for cell in cells) for name in summed},
                },
            }
        )
        derive(self.run)

    def _in_its_arm(self, asked: Asked) -> Asked:
        source, _, name = asked.task.partition(":")
        for given in (asked.task, name):
            if given in self.arms:
                other, strategy = self.arms[given]
                return replace(asked, task=other if given == asked.task else f"{source}:{other}", strategy=strategy)
        return asked

    def _same_version(self, asked: Asked, path: Path) -> None:
        version, other = self.versions.setdefault((asked.task, asked.strategy), (asked.version, path))
        if version != asked.version:
            raise UserError(
                f"{path}: {asked.task} is of version {asked.version or 'unknown'}, in {other} of version "
                f"{version or 'unknown'}; import them into two runs"
            )

    def _cell(self, asked: Asked) -> Cell:
        model = asked.model
        identity = (model.name, model.revision, model.family)
        if identity not in self.placed:
            self.placed[identity] = self._place(model)
        family, rung = self.placed[identity]
        return Cell(family, rung.name, asked.task, asked.strategy, asked.shots, asked.seed)

    def _place(self, model: Model) -> tuple[str, Rung]:
        family, rung, matched = self.families.place(model)
        taken = {(family, rung.name) for family, rung in self.placed.values()}
        if not matched:
            self.unmatched.append(model)
            if (family, rung.name) in taken:
                rung = replace(rung, name=model.label)
        elif (family, rung.name) in taken and model.revision:
            family = f"{family}@{model.revision}"
        if (family, rung.name) in taken:
            raise UserError(f"{model.label}: is {rung.name}, as another imported model is; leave one of them out")
        return family, rung

    def _refs(self) -> list[str]:
        return list(dict.fromkeys(task for task, _ in self.versions))

    def _task(self, ref: str) -> dict[str, Any]:
        published, preferred = self.scores.metrics_of(ref)
        companions = self.answers.companions(ref)
        metrics = tuple(dict.fromkeys([*published, *companions]))
        preferred = preferred or next(iter(metrics), "")
        version = next(version for (task, _), (version, _) in self.versions.items() if task == ref)
        chance, ceiling = self.scores.bounds_of(ref, preferred, self.answers)
        task = Task(
            ref.partition(":")[2] or ref,
            (),
            metrics,
            preferred,
            chance=0.0 if chance is None else chance,
            ceiling=1.0 if ceiling is None else ceiling,
            source=f"{ref.partition(':')[0]} {version}".strip() if ":" in ref else version,
        )
        record = asdict(task) | {"rendering": asdict(Rendering()), "postprocess": asdict(Postprocess())}
        kept = {key: value for key, value in record.items() if key not in ("examples", "worked")}
        return {"ref": ref, **kept, "n_examples": self.scores.items_of(ref, self.answers)}


def _check_counts(found: Point | Samples, path: Path) -> None:
    """``UserError`` for whole numbers that no column of a table holds."""
    asked, model = found.asked, found.asked.model
    counts = {"shots": asked.shots, "seed": asked.seed, "step": model.step, "training_tokens": model.training_tokens}
    counts |= {"params_total": model.params_total, "params_non_embedding": model.params_non_embedding}
    counts |= {"n": found.n} if isinstance(found, Point) else {}
    wrong = next((name for name, count in counts.items() if abs(count or 0) >= LARGEST), None)
    if wrong:
        raise UserError(f"{path}: {wrong}: is too large to be a count; mend it or leave the file out")


def _arms(given: Iterable[str]) -> dict[str, tuple[str, str]]:
    found = {}
    for arm in given:
        task, _, other = arm.rpartition("=")
        name, _, strategy = other.rpartition(":")
        if not task or not name or not strategy:
            raise UserError(f"--arm: {arm!r} is no arm; write TASK=OTHER:STRATEGY, as gsm8k_cot=gsm8k:chain_of_thought")
        found[task] = (name, strategy)
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
