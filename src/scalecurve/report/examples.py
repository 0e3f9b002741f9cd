"""The same example's answers from every rung, side by side: what each task's examples page holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.report.data import Contents, RunSource
from scalecurve.report.safe import PROMPT_LIMIT, TEXT_LIMIT, rounded, visible
from scalecurve.store import reading, scan_table
from scalecurve.store.parts import cell_of, check_part, part_path
from scalecurve.types import Cell

if TYPE_CHECKING:
    import polars as pl

PER_TASK = 20
ANSWERS = 40_000  # in one self-contained report; beyond it, fewer examples a task
CHARACTERS = 64_000_000  # of one task's examples in the live view
CHANGED = 300  # further examples of a task, of those whose answer changed
COUNTED = 4_000  # questions of a task up to which the page knows of each whether every model solved it
SOLVED = 0.5  # a score from which on a question counts as solved
_OPTIONS = 26  # of a question that are shown
_SOLVED_BY = ("exact_match", "exact_str_match", "multiple_choice_grade")
_COLUMNS = (
    "example_id", "prompt", "options", "option_logprobs", "target_logprobs", "text", "response", "error", "input",
    "targets", "choices", "option_scores", "thinking",
)  # fmt: skip


def per_task(contents: Contents) -> int:
    """How many examples of each task fit in a self-contained report: 20, fewer when there are very many curves."""
    columns = {(c["f"], c["t"], c["s"], c["k"], rung) for c in contents.curves for rung in c["r"]}
    return max(2, min(PER_TASK, ANSWERS // max(1, len(columns))))


def examples_of(
    contents: Contents, task: str, count: int | None = PER_TASK, *, changed: bool = False
) -> dict[str, Any]:
    """Evenly spaced examples of ``task`` (None: all, up to ``CHARACTERS``) with every rung's answers, in every arm.

    With ``changed`` also those (up to ``CHANGED``) whose answer changed between the two models around the task's
    clearest jump. Keys: ``all`` (how many there are), ``x`` (how many of the last ones are there only because they
    changed), ``q`` questions (id, input, targets, options, option scores), ``p`` distinct prompts, ``arms`` (family,
    strategy, shots, seed) each with ``a``: answers[rung][question] as [prompt, score, text, response, option
    log-probs, target log-prob, error] and, of a thinking model, what it thought, or null where there is none, and
    ``w``: for each rung a letter for every question there is: 1 solved, 0 not, . unknown.
    """
    pages = [cells_of(source, task) for source in contents.sources]
    if count is None:
        count = _as_many_as_fit(
            [paths_of(source, *cell) for source, cells in zip(contents.sources, pages, strict=True) for cell in cells]
        )
    ids, scores = _ids(contents, pages), [_solved(source, task) for source in contents.sources]
    book = _Book(ids, count, _changed(contents, task, ids, scores) if changed else ())
    for source, cells, own in zip(contents.sources, pages, scores, strict=True):
        for cell, record in cells:
            frame = _read(paths_of(source, cell, record), book.ids)
            if frame is not None:
                family = next(i for i, f in enumerate(contents.families) if f["name"] == source.labels[cell.family])
                places = {rung["key"]: i for i, rung in enumerate(contents.families[family]["rungs"])}
                if cell.rung in places:
                    book.add(family, places[cell.rung], len(places), cell, frame, own)
    return book.to_json()


def clearest(curves: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The prompt with the clearest jump, where one has it, else the one that changes most between two models."""

    def change(curve: Mapping[str, Any]) -> float:
        low, high = curve["b"]
        jumps = (curve["v"] or {}).get("shape") in ("emergent", "late", "one-model")
        return float(abs(curve["y"][high] - curve["y"][low])) + jumps

    return max((curve for curve in curves if len(curve.get("b", ())) == 2), key=change, default=None)


def _ids(contents: Contents, pages: Sequence[Sequence[tuple[Cell, Mapping[str, Any]]]]) -> list[str]:
    """All examples, from the first cell of each source that has answers."""
    import polars as pl

    found: dict[str, None] = {}
    for source, cells in zip(contents.sources, pages, strict=True):
        for cell, record in cells:
            paths = paths_of(source, cell, record)
            try:
                parts = [pl.read_parquet(path, columns=["example_id"], hive_partitioning=False) for path in paths]
            except (OSError, pl.exceptions.PolarsError):
                continue
            if parts:
                found |= dict.fromkeys(pl.concat(parts)["example_id"].to_list())
                break
    return list(found)


def _changed(
    contents: Contents, task: str, ids: Sequence[str], scores: Sequence[Mapping[Any, float | None]]
) -> list[str]:
    """The examples that one of the two models around a family's clearest jump solves and the other does not."""
    index, found = contents.refs.index(task), []
    own = [curve for curve in contents.curves if curve["p"] and curve["t"] == index]
    for curve in (clearest([one for one in own if one["f"] == f]) for f in sorted({one["f"] for one in own})):
        if curve is None:
            continue
        family = contents.families[curve["f"]]
        source = next(i for i, one in enumerate(contents.sources) if family["name"] in one.labels.values())
        name = next(name for name, label in contents.sources[source].labels.items() if label == family["name"])
        rungs = [family["rungs"][curve["r"][at]]["key"] for at in curve["b"]]
        seed = min((key[4] for key in scores[source]), default=0)
        for example in ids:
            pair = [scores[source].get((name, rung, curve["s"], curve["k"], seed, example)) for rung in rungs]
            if None not in pair and len({score >= SOLVED for score in pair if score is not None}) == 2:
                found.append(example)
    found = list(dict.fromkeys(found))
    return _spaced(found, CHANGED)


class _Book:
    """The answers of one task, gathered cell by cell."""

    def __init__(self, everything: Sequence[str], count: int | None, more: Sequence[str]) -> None:
        self.everything = everything
        chosen = _spaced(everything, count)
        self.ids = {example: index for index, example in enumerate(dict.fromkeys([*chosen, *more]))}
        self.extra = len(self.ids) - len(chosen)
        self.questions: list[dict[str, Any]] = [{"id": visible(example, 120)} for example in self.ids]
        self.prompts: dict[str, int] = {}
        self.arms: dict[tuple[Any, ...], dict[str, Any]] = {}

    def add(
        self, family: int, rung: int, rungs: int, cell: Cell, frame: pl.DataFrame, scores: Mapping[Any, float | None]
    ) -> None:
        key = (family, cell.strategy, cell.shots, cell.seed)
        arm = self.arms.setdefault(
            key,
            {"f": family, "s": visible(cell.strategy, 80), "k": cell.shots, "seed": cell.seed}
            | {"a": [[None] * len(self.ids) for _ in range(rungs)], "w": [""] * rungs},
        )
        if len(self.everything) <= COUNTED:
            own = (cell.family, cell.rung, cell.strategy, cell.shots, cell.seed)
            known = [scores.get((*own, example)) for example in self.everything]
            arm["w"][rung] = "".join("." if one is None else "1" if one >= SOLVED else "0" for one in known)
        for row in frame.iter_rows(named=True):
            index = self.ids[row["example_id"]]
            question = self.questions[index]
            if "q" not in question:
                question.update(_question(row))
            score = scores.get((cell.family, cell.rung, cell.strategy, cell.shots, cell.seed, row["example_id"]))
            arm["a"][rung][index] = self._answer(row, score)

    def _answer(self, row: Mapping[str, Any], score: float | None) -> list[Any]:
        prompt = visible(row["prompt"], PROMPT_LIMIT, row["prompt_length"])
        targets = [value for value in row["target_logprobs"] or [] if value is not None and math.isfinite(value)]
        thought = [visible(row["thinking"], TEXT_LIMIT, row["thinking_length"])] if row["thinking"] else []
        return [
            self.prompts.setdefault(prompt, len(self.prompts)),
            rounded(score, 4),
            None if row["text"] is None else visible(row["text"], TEXT_LIMIT, row["text_length"]),
            None if row["response"] is None else visible(row["response"], TEXT_LIMIT, row["response_length"]),
            [rounded(value, 4) for value in (row["option_logprobs"] or [])[:_OPTIONS]],
            rounded(max(targets), 4) if targets else None,
            visible(row["error"], 300),
            *thought,
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "all": len(self.everything),
            "x": self.extra,
            "q": self.questions,
            "p": list(self.prompts),
            "arms": list(self.arms.values()),
        }


def _question(row: Mapping[str, Any]) -> dict[str, Any]:
    options = row["options"] or row["choices"] or []
    return {
        "q": visible(row["input"], PROMPT_LIMIT, row["input_length"]),
        "targets": [visible(target, 400) for target in (row["targets"] or [])[:8]],
        "options": [visible(option, 400) for option in options[:_OPTIONS]],
        "worth": [rounded(value, 3) for value in (row["option_scores"] or [])[:_OPTIONS]],
    }


def _spaced(ids: Sequence[str], count: int | None) -> list[str]:
    if count is None or len(ids) <= count:
        return list(dict.fromkeys(ids))
    return list(dict.fromkeys(ids[i * len(ids) // count] for i in range(count)))


def cells_of(source: RunSource, task: str) -> list[tuple[Cell, Mapping[str, Any]]]:
    """The cells of a task and their records."""
    records: Iterable[Mapping[str, Any]] = source.manifest.get("cells", [])
    return [(cell_of(record), record) for record in records if record["task"] == task]


def paths_of(source: RunSource, cell: Cell, record: Mapping[str, Any]) -> list[Path]:
    """The parts of a cell that are there and what was written; others are being replaced while the run goes on."""
    hashes, paths = record.get("hashes", {}), []
    for index, key in record.get("parts", {}).items():
        path = part_path(source.run, cell, int(index), key)
        with suppress(UserError):
            if path.exists():
                paths.append(check_part(path, hashes.get(key, "")))
    return sorted(paths)


def _as_many_as_fit(cells: Sequence[Sequence[Path]]) -> int:
    """How many questions ``CHARACTERS`` allow, when all answers are as long as those of one part."""
    import polars as pl

    part = next((paths[0] for paths in cells if paths), None)
    if part is None:
        return PER_TASK
    length = pl.min_horizontal(pl.col("prompt").str.len_chars(), PROMPT_LIMIT) + 100
    length += pl.min_horizontal(pl.col("text").str.len_chars().fill_null(0), TEXT_LIMIT)
    try:
        mean = pl.scan_parquet(part, hive_partitioning=False).select(length.mean()).collect().item()
    except (OSError, pl.exceptions.PolarsError):
        return PER_TASK
    return max(PER_TASK, int(CHARACTERS / (mean or 100) / len(cells)))


def _read(paths: Sequence[Path], ids: Iterable[str]) -> pl.DataFrame | None:
    """The columns shown of some examples, one part after another; long texts are cut before they become Python's."""
    import polars as pl

    cut = dict.fromkeys(("text", "response", "thinking"), TEXT_LIMIT) | {"prompt": PROMPT_LIMIT, "input": PROMPT_LIMIT}
    lengths = [pl.col(name).str.len_chars().alias(f"{name}_length") for name in cut]
    kept = [pl.col(name).str.slice(0, limit + 1) if (limit := cut.get(name)) else pl.col(name) for name in _COLUMNS]
    chosen = pl.col("example_id").is_in(list(ids))
    try:
        frames = [_columns_of(path).filter(chosen).select(*kept, *lengths) for path in paths]
    except (OSError, pl.exceptions.PolarsError):  # a part that is being replaced while the run goes on
        return None
    return pl.concat(frames) if frames else None


def _columns_of(path: Path) -> pl.DataFrame:
    """The columns shown of one part; those of old runs know of no thinking."""
    import polars as pl

    known = pl.read_parquet_schema(path)
    frame = pl.read_parquet(path, columns=[name for name in _COLUMNS if name in known], hive_partitioning=False)
    return frame if "thinking" in known else frame.with_columns(thinking=pl.lit(""))


def _solved(source: RunSource, task: str) -> dict[Any, float | None]:
    """(family, rung, strategy, shots, seed, example) → score, by the preferred metric or another per-example one."""
    import polars as pl

    if not source.run.scores.exists():
        return {}
    shown = (pl.col("task") == task) & pl.col("value").is_not_null()
    with reading(source.run.scores):
        scores = scan_table(source.run.scores).filter(shown).collect()
    preferred = source.curves.filter((pl.col("task") == task) & pl.col("preferred"))["metric"].to_list()[:1]
    for metric in (*preferred, *_SOLVED_BY):
        rows = scores.filter(pl.col("metric") == metric)
        if not rows.is_empty():
            names = ("family", "rung", "strategy", "shots", "seed", "example_id")
            return {tuple(row[name] for name in names): row["value"] for row in rows.iter_rows(named=True)}
    return {}
