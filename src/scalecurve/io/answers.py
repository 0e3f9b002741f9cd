"""Imported answers: written as the parts of cells while they are read, so that memory holds one part at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from math import fsum, isnan, nan
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.shape import Evaluation, Sample, Samples
from scalecurve.metrics.registry import mean_and_error
from scalecurve.store.directory import RunDirectory
from scalecurve.store.parts import digest, part_bytes, write_part
from scalecurve.types import Answer, Cell, Example

PART_ROWS, PART_CHARACTERS = 1024, 8_000_000
OPTION_COMPANIONS = ("multiple_choice_grade", "target_logprob", "bits_per_byte", "option_probability", "brier")
TEXT_COMPANIONS = ("exact_match", "edit_similarity", "extraction_rate")


@dataclass(slots=True)
class Items:
    """The source's own scores of one cell's examples: values by metric, NaN where there is none."""

    ids: list[str] = field(default_factory=list)
    values: dict[str, array[float]] = field(default_factory=dict)

    def put(self, at: int, metric: str, value: float | None) -> None:
        column = self.values.setdefault(metric, array("d"))
        column.extend([nan] * (at + 1 - len(column)))
        column[at] = nan if value is None else value

    def columns(self) -> Iterator[tuple[str, array[float]]]:
        """(metric, values), each as long as ``ids``."""
        for metric, column in self.values.items():
            column.extend([nan] * (len(self.ids) - len(column)))
            yield metric, column


@dataclass(slots=True)
class _Held:
    """What the answers to one task hold, hence which metrics can be computed from them."""

    options: bool = False
    texts: bool = False
    target_logprobs: bool = False
    targets: bool = True
    blind: array[float] = field(default_factory=lambda: array("d"))
    most: int = 0

    def see(self, example: Example, answer: Answer) -> None:
        self.options |= bool(example.options and answer.option_logprobs)
        self.texts |= answer.text is not None
        self.target_logprobs |= bool(answer.target_logprobs)
        self.targets &= bool(example.targets)
        if example.option_scores:
            self.blind.append(fsum(example.option_scores) / len(example.option_scores))


class Answers:
    """Writes the answers of an import into ``run``; ``cells`` are their records for the manifest."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.cells: list[dict[str, Any]] = []
        self._from: dict[Cell, Path] = {}
        self._held: dict[str, _Held] = {}
        self._same: dict[str, dict[str, int]] = {}
        self._complete: set[str] = set()

    def add(self, cell: Cell, asked: Evaluation, found: Samples) -> Items:
        """Write the parts of one cell, which must not be there yet. ``UserError`` for an example twice."""
        self._from[cell] = found.path
        self._complete |= {cell.task} if found.complete else set()
        held = self._held.setdefault(cell.task, _Held())
        items, places, part = Items(), {}, _PendingAnswers(self.run, cell)
        for sample in found.rows:
            name = sample.example.id
            if not sample.again:
                if name in places:
                    raise UserError(f"{found.path}: {asked.label} answers {name!r} twice; keep one of the two")
                places[name] = len(items.ids)
                items.ids.append(name)
                self._check_same(cell.task, sample, found.path)
                held.see(sample.example, sample.answer)
                part.add(sample.example, sample.answer)
            elif name not in places:
                raise UserError(f"{found.path}: {asked.label} scores {name!r}, which it does not answer")
            for metric, value in sample.scores.items():
                items.put(places[name], metric, value)
        part.flush()
        held.most = max(held.most, len(items.ids))
        if items.ids:
            self.cells.append(part.record(len(items.ids)))
        return items

    def source_of(self, cell: Cell) -> Path | None:
        """The file whose answers of a cell are here."""
        return self._from.get(cell)

    def _check_same(self, task: str, sample: Sample, path: Path) -> None:
        """Equal ids must be equal questions, or paired comparisons would pair strangers."""
        if sample.same:
            own = int.from_bytes(sha256(sample.same.encode()).digest()[:8], "little")
            if self._same.setdefault(task, {}).setdefault(sample.example.id, own) != own:
                raise UserError(
                    f"{path}: {task}: question {sample.example.id!r} differs from that of another file; the data set "
                    "or prompts changed between them, import them into two runs"
                )

    def companions(self, ref: str) -> tuple[str, ...]:
        """The metrics that can be computed from the answers to a task, beside those it came with."""
        held = self._held.get(ref)
        if held is None or not held.most or ref in self._complete:
            return ()
        text = TEXT_COMPANIONS if held.texts and held.targets else ("extraction_rate",) if held.texts else ()
        likely = ("target_logprob", "bits_per_byte") if held.target_logprobs else ()
        return (*(OPTION_COMPANIONS if held.options else ()), *text, *likely)

    def chance_of(self, ref: str) -> float | None:
        """What blind guessing earns, from the options of the answered questions."""
        held = self._held.get(ref)
        return fsum(held.blind) / len(held.blind) if held and held.blind else None

    def are_letters(self, ref: str) -> bool:
        """Whether options were chosen by writing which, not by their log-probabilities."""
        held = self._held.get(ref)
        return held is not None and bool(held.blind) and not held.options

    def count_of(self, ref: str) -> int:
        """The most examples that a cell of the task has."""
        held = self._held.get(ref)
        return held.most if held else 0


class _PendingAnswers:
    """The answers of a cell that are not on disk yet."""

    def __init__(self, run: RunDirectory, cell: Cell) -> None:
        self.run, self.cell = run, cell
        self.rows: list[tuple[Example, Answer]] = []
        self.characters = 0
        self.parts: dict[int, str] = {}
        self.hashes: dict[str, str] = {}
        self.prompt_tokens = self.generated_tokens = self.failed = 0
        self.censored = self.cut = self.thinking_tokens = 0
        self.reason = ""

    def add(self, example: Example, answer: Answer) -> None:
        self.rows.append((example, answer))
        self.characters += len(answer.prompt) + len(example.input) + len(answer.text or "")
        self.characters += sum(map(len, answer.samples)) + sum(map(len, answer.options))
        self.prompt_tokens += answer.prompt_tokens
        self.generated_tokens += answer.generated_tokens
        self.thinking_tokens += answer.thinking_tokens
        self.cut += answer.cut
        self.censored += answer.censored
        self.failed += bool(answer.error)
        self.reason = self.reason or answer.error
        if len(self.rows) >= PART_ROWS or self.characters >= PART_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            data = part_bytes(self.cell, self.rows)
            whole = digest(data)
            key = whole[:16]
            write_part(self.run, self.cell, len(self.parts), key, data)
            self.parts[len(self.parts)] = key
            self.hashes[key] = whole
            self.rows, self.characters = [], 0

    def record(self, examples: int) -> dict[str, Any]:
        """What the manifest says of the cell."""
        return {
            "key": self.cell.key,
            **asdict(self.cell),
            "examples": examples,
            "status": "failed" if self.failed == examples else "done",
            "reason": self.reason,
            "seconds": 0.0,
            "prompt_tokens": self.prompt_tokens,
            "generated_tokens": self.generated_tokens,
            "failed_examples": self.failed,
            "censored": self.censored,
            "cut": self.cut,
            "thinking_tokens": self.thinking_tokens,
            "parts": self.parts,
            "hashes": self.hashes,
        }


def mean(values: array[float]) -> tuple[float | None, float | None, int]:
    """(mean, standard error, number) of the values that are there; of 0/1 values the error has the usual floor."""
    known = [value for value in values if not isnan(value)]
    return mean_and_error(known, binary=all(value in (0.0, 1.0) for value in known))
