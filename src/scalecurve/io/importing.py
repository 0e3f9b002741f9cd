"""From files of other harnesses to a run directory, which appears whole or not at all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scalecurve._version import __version__
from scalecurve.analysis.derive import derive
from scalecurve.errors import UserError
from scalecurve.io.agreement import Agreement, Twice
from scalecurve.io.answers import Answers
from scalecurve.io.columns import differing_columns
from scalecurve.io.families import Families
from scalecurve.io.groups import parents
from scalecurve.io.packed import as_given, unpacked
from scalecurve.io.scores import Scores
from scalecurve.io.shape import Evaluation, Point, Samples, SourceModel
from scalecurve.io.sizes import ByName
from scalecurve.io.sources import KINDS, Said, arms_of, digest, find_sources
from scalecurve.io.told import left_out, notes_of, some, understood
from scalecurve.schema import AXES
from scalecurve.store.atomic import whole_directory, write_parquet
from scalecurve.store.directory import RunDirectory
from scalecurve.store.manifest import environment
from scalecurve.types import Cell, Postprocess, Rendering, Rung, Task

LARGEST = 1 << 63
_SHAPE = {"rendering": asdict(Rendering()), "postprocess": asdict(Postprocess())}
_TASK_FIELDS = tuple(one.name for one in fields(Task) if one.name not in ("examples", "worked"))


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to: models no family file knows, those of them without a place on any scale (``unsized``),
    what is missing, and notes, one line each.

    ``understood`` is a sentence of what was read, in counts; ``left_out`` says what was not, and why.
    """

    unmatched: tuple[SourceModel, ...] = ()
    unsized: tuple[SourceModel, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: int = 0
    scores: int = 0
    answers: int = 0
    understood: str = ""
    left_out: tuple[str, ...] = ()


def import_files(
    paths: Sequence[Path],
    run: RunDirectory,
    source: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    shots: int | None = None,
    arms: Sequence[str] = (),
    families: Sequence[str] = (),
    said: Said | None = None,
    keep: str = "",
    finish: Callable[[RunDirectory], None] = lambda run: None,
) -> Imported:
    """Make ``run`` of result files, or folders of them.

    ``source`` is a format's name, or ``auto``. ``columns`` maps our names to a table's columns, ``shots`` is for files
    that do not say; ``said`` holds these and all else that files do not say. An arm,
    ``gsm8k_cot=gsm8k:chain_of_thought``, files a task as another asked under a strategy. ``families`` are family files
    to find models in before those that ship. ``keep`` (``newest``, ``oldest``) decides between several results of one
    kind. ``finish`` is done before the directory takes its name. Raises ``UserError`` for a damaged or unknown file,
    two different results of one cell, two versions of a task.
    """
    if run.manifest.exists():
        raise UserError(f"{run.path}: is a run already; give another directory")
    with unpacked(paths, KINDS) as (found, names):
        try:
            said = said or Said(columns or {}, shots)
            done = _import(found, run, source, arms, families, said, keep, finish)
        except UserError as error:
            raise UserError(as_given(str(error), names)) from None
        notes, left = (tuple(as_given(one, names) for one in told) for told in (done.notes, done.left_out))
        return replace(done, notes=notes, left_out=left)


def _import(
    paths: Sequence[Path],
    run: RunDirectory,
    source: str,
    arms: Sequence[str],
    families: Sequence[str],
    said: Said,
    keep: str,
    finish: Callable[[RunDirectory], None],
) -> Imported:
    if keep not in ("", "newest", "oldest"):
        raise UserError(f"--keep: {keep!r} is not known; use newest or oldest")
    heads, left, parts = find_sources(paths, source, said)
    if keep:
        heads.sort(key=lambda head: head[1].time, reverse=keep == "newest")
    with whole_directory(run.path) as making, _without_collector():
        work = _Work(RunDirectory(making), Families(families), arms_of(arms), said, keep)
        files: dict[Path, None] = {}
        for reader, head in heads:
            with _as_written(reader.name, head.path):
                for found in reader.read(head):
                    work.add(found, head.path)
            files |= dict.fromkeys([head.path, *head.used])
        work.agreement.refuse()
        by_path = {head.path: head for _, head in heads}
        work.twice.refuse(lambda path: differing_columns(by_path[path]) if path in by_path else [])
        work.notes += notes_of([head for _, head in heads])
        if left:
            work.notes.append(f"{len(left)} files in other layouts were left out: {some(left)}")
        scores = len(work.scores.points)
        work.write([{"file": path.name, "sha256": digest(path)} for path in files], paths[0])
        finish(work.run)
        return Imported(
            tuple(work.unmatched),
            tuple(work.unsized),
            tuple(work.scores.missing()),
            tuple(dict.fromkeys([*work.notes, *work.later_notes()])),
            len(files),
            max(scores, len(work.scores.points) - work.copied),
            sum(cell["examples"] for cell in work.answers.cells),
            understood(
                [reader.name for reader, _ in heads],
                list(work.scores.points),
                work.answers.cells,
                [rung for _, rung in work.placed.values()],
            ),
            tuple(left_out([head for _, head in heads], [path for path in parts if path not in files])),
        )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Within: nobody looks for circles among the objects of an import, of which there are many and none circular.

    That took a third of the time of a large table.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def import_run(
    paths: Sequence[str | Path],
    into: str | Path,
    source: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    shots: int | None = None,
    arms: Sequence[str] = (),
    families: Sequence[str] = (),
    said: Said | None = None,
    keep: str = "",
) -> Imported:
    """Make the run directory ``into`` of other harnesses' results, judged; what is given is as for ``import_files``."""
    from scalecurve.analysis.verdicts.run import judge_run

    files = [Path(path) for path in paths]
    return import_files(
        files,
        RunDirectory(Path(into)),
        source,
        columns=columns,
        shots=shots,
        arms=arms,
        families=families,
        said=said,
        keep=keep,
        finish=judge_run,
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
    said: Said = field(default_factory=Said)
    keep: str = ""
    copied: int = 0
    started: str = field(default_factory=lambda: _now())
    placed: dict[tuple[str, ...], tuple[str, Rung]] = field(default_factory=dict)
    unmatched: list[SourceModel] = field(default_factory=list)
    unsized: list[SourceModel] = field(default_factory=list)
    agreement: Agreement = field(default_factory=Agreement)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by_name = ByName(known=self.families.names)
        self.twice = Twice(self.keep)
        self.scores = Scores(self.said.chance)
        self._cells: dict[int, tuple[Evaluation, Cell]] = {}
        self._arm_of: dict[int, Evaluation] = {}
        self._checked: dict[int, SourceModel] = {}
        self._taken: set[tuple[str, str]] = set()
        self._groups: dict[str, str] = {}
        self.answers = Answers(self.run)

    def add(self, found: Point | Samples, path: Path) -> None:
        asked, cell = self._cell(found.asked, path)
        if isinstance(found, Point):
            if abs(found.n or 0) >= LARGEST:
                raise UserError(f"{path}: n: is too large to be a count; mend it or leave the file out")
            point = found if asked is found.asked else replace(found, asked=asked)
            other = self.scores.add(cell, point, path)
            if other is not None:
                label = f"{point.metric} of {asked.label}{self.by_name.spellings(asked.model.name)}"
                self.twice.see(path, other, label, self.scores.same(cell, point))
            return
        other = self.answers.source_of(cell)
        if other is not None:  # the scores of the two were set side by side above
            self.twice.see(found.path, other, f"answers to {asked.label}", same=bool(self.twice.merged))
            return
        try:
            items = self.answers.add(cell, asked, found)
        except OverflowError:
            raise UserError(f"{found.path}: {asked.task}: holds a number too large to be a count of tokens") from None
        self.scores.add_items(cell, asked, items, found)

    def later_notes(self) -> list[str]:
        """What is known to be worth telling once everything is read."""
        guessing = self.scores.guessing(self.answers)
        guessing += self.scores.without_errors()
        return [*self.scores.notes, *guessing, *self.agreement.notes(), *self.twice.notes(), *self.by_name.notes()]

    def _cell(self, given: Evaluation, path: Path) -> tuple[Evaluation, Cell]:
        """What was asked, filed in its arm, and its cell; an ``Evaluation`` that readers share is looked up once."""
        known = self._cells.get(id(given))
        if known is not None and known[0] is given:
            return self._arm_of.get(id(given), given), known[1]
        asked = self._in_its_arm(given)
        self.agreement.check(asked, path)
        if asked.group:
            self._groups.setdefault(asked.task, asked.group)
        _check_counts(asked, path, self._checked)
        family, rung = self._rung(asked.model)
        cell = Cell(family, rung.name, asked.task, asked.strategy, asked.shots, asked.seed)
        self._cells[id(given)] = given, cell
        if asked is not given:
            self._arm_of[id(given)] = asked
        return asked, cell

    def _rung(self, model: SourceModel) -> tuple[str, Rung]:
        identity = (self.by_name.one_spelling(model.name), model.revision, model.family, model.variant)
        if identity not in self.placed:
            self.placed[identity] = self._place(model)
        return self.placed[identity]

    def write(self, files: list[dict[str, str]], first: Path) -> None:
        """The published tables, the manifest, and what follows from them."""
        if not self.scores.points and not self.answers.cells:
            raise UserError(f"{first}: holds no score; give result files of a finished evaluation")
        self._end_at_the_last()
        points, items = self.scores.tables(self.answers)
        for (cell, _), point in self.scores.points.items():  # groups of tasks are tasks too
            self.agreement.know(cell.task, point.asked)
        if not self.scores.points and not any(self.answers.companions(ref) for ref in self._refs()):
            raise UserError(f"{first}: holds answers but no score, and none can be computed from them")
        write_parquet(self.run.published_points, points)
        if items is not None:
            write_parquet(self.run.published_scores, items)
        cells, groups = self.answers.cells, self._parents()
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
                "tasks": [self._task(ref, groups.get(ref, "")) for ref in self._refs()],
                "cells": cells,
                "totals": {
                    "cells": len(cells),
                    "failed_cells": 0,
                    **{name: sum(cell[name] for cell in cells) for name in summed},
                },
            }
        )
        derive(self.run)

    def _in_its_arm(self, asked: Evaluation) -> Evaluation:
        if not self.arms:
            return asked
        source, _, name = asked.task.partition(":")
        for given in (asked.task, name):
            if given in self.arms:
                other, strategy = self.arms[given]
                return replace(asked, task=other if given == asked.task else f"{source}:{other}", strategy=strategy)
        return asked

    def _place(self, model: SourceModel) -> tuple[str, Rung]:
        size = self.said.size_of(model.name)
        family, rung, matched = self.families.place(replace(model, params_total=size) if size else model)
        if not matched:
            family, rung = self.by_name.place(model, rung)
            self.unmatched.append(model)
            self.unsized += [] if any(getattr(rung, axis) for axis in AXES) else [model]
            if (family, rung.name) in self._taken:
                rung = replace(rung, name=model.label)
        elif (family, rung.name) in self._taken and model.revision:
            family = f"{family}@{model.revision}"
        if (family, rung.name) in self._taken:
            raise UserError(f"{model.label}: is {rung.name}, as another imported model is; leave one of them out")
        self._taken.add((family, rung.name))
        return family, rung

    def _end_at_the_last(self) -> None:
        """Where states that a revision names were imported and the finished model too, let it end their family."""
        rungs = {rung.name: (family, rung) for family, rung in self.placed.values()}
        for family, rung in list(self.placed.values()):
            name = family.removesuffix("-checkpoints")
            last = rungs.get(name)
            own = rung.training_tokens is not None and rung.name.startswith(f"{name}-") and "tokens" in rung.revision
            if name == family or last is None or not own or (family, name) in self._taken:
                continue
            self._taken.add((family, name))
            self.placed[family, name, "", "last"] = family, last[1]
            before = len(self.scores.points)
            for cell in {cell for cell, _ in self.scores.points if (cell.family, cell.rung) == (last[0], name)}:
                self.scores.copy_cell(cell, replace(cell, family=family))
            self.copied += len(self.scores.points) - before

    def _parents(self) -> dict[str, str]:
        """Task → the group that it is part of: a known one, else as the source says."""
        return self._groups | parents(self._refs())

    def _refs(self) -> list[str]:
        return self.agreement.tasks()

    def _task(self, ref: str, parent: str) -> dict[str, Any]:
        published, preferred = self.scores.metrics_of(ref)
        companions = self.answers.companions(ref)
        metrics = tuple(dict.fromkeys([*published, *companions]))
        preferred = preferred or next(iter(metrics), "")
        version = self.agreement.version_of(ref)
        chance, ceiling = self.scores.bounds_of(ref, preferred, self.answers)
        task = Task(
            ref.partition(":")[2] or ref,
            (),
            metrics,
            preferred,
            chance=0.0 if chance is None else chance,
            ceiling=1.0 if ceiling is None else ceiling,
            source=f"{ref.partition(':')[0]} {version}".strip() if ":" in ref else version,
            parent=parent,
        )
        kept = {name: getattr(task, name) for name in _TASK_FIELDS}
        return {"ref": ref, **kept, **_SHAPE, "n_examples": self.scores.items_of(ref, self.answers)}


def _check_counts(asked: Evaluation, path: Path, checked: dict[int, SourceModel]) -> None:
    """``UserError`` for whole numbers that no column of a table holds; ``checked``: models seen before, by identity."""
    model = asked.model
    if -LARGEST < asked.shots < LARGEST and -LARGEST < asked.seed < LARGEST and id(model) in checked:
        return
    checked[id(model)] = model
    counts = {"shots": asked.shots, "seed": asked.seed, "step": model.step, "training_tokens": model.training_tokens}
    counts |= {"params_total": model.params_total, "params_non_embedding": model.params_non_embedding}
    wrong = next((name for name, count in counts.items() if abs(count or 0) >= LARGEST), None)
    if wrong:
        raise UserError(f"{path}: {wrong}: is too large to be a count; mend it or leave the file out")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
