"""Files in the formats of the Inverse Scaling Prize (CSV, or JSON Lines with the same fields).

    classification                   prompt, classes, answer_index
    logodds, absolute_logodds        prompt, other_prompt, classes (two), answer_index
    sequence_prob                    prompt, completion
    numeric                          prompt, true_answer, anchor

``classes`` is a Python or JSON list of texts, each with the space it begins with. Without a named format, the columns
tell it (``logodds`` where there is another prompt). Other columns are kept as metadata. Fields as in
naimenz/inverse-scaling-eval-pipeline (``eval_pipeline/dataset.py``).
"""

from __future__ import annotations

import ast
import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from scalecurve.errors import UserError
from scalecurve.tasks.jsonfile import read_json_lines, read_text
from scalecurve.tasks.reader import blind_grade, fingerprint
from scalecurve.types import Example, Postprocess, Rendering, Task

PLAIN = Rendering(input_prefix="", output_prefix="", separator="\n\n", append_choices=False)
"""The prompt is the input as it stands; classes begin with a space of their own."""

CHOICE_METRICS = ("multiple_choice_grade", "classification_loss", "log_odds", "class_coverage")
NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
NUMBER_TOKENS = 7  # as the pipeline generates


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file: its fields, and how messages name its place."""

    path: Path
    place: str
    fields: Mapping[str, Any]

    def fail(self, field: str, problem: str) -> NoReturn:
        raise UserError(f"{self.path}: {self.place}: {field}: {problem}")

    def text(self, field: str) -> str:
        value = self.fields.get(field)
        if not isinstance(value, str) or not value:
            self.fail(field, "must be a text that is not empty")
        return value

    def number(self, field: str) -> float:
        value = self.fields.get(field)
        try:
            number = float(str(value).replace(",", ""))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.fail(field, f"{value!r} is not a number")
        return number


def load_prize_file(path: Path, form: str = "") -> tuple[Task, ...]:
    """The task in ``path``; two for a pair of prompts, the second being the first's contrast.

    ``UserError`` names the file, row and field of what is wrong.
    """
    if not path.is_file():
        raise UserError(f"task 'inverse:{path}': no such file; give a .csv or .jsonl file")
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path}: holds no examples; add a row below the header")
    form = _format(path, form, rows[0].fields)
    return tuple(replace(task, fingerprint=fingerprint(task)) for task in FORMATS[form][1](path.stem, form, rows))


def _format(path: Path, form: str, fields: Mapping[str, object]) -> str:
    """The named format, or the one whose columns the file has, checked."""
    has = set(fields)
    if not form:
        order = ("logodds", "classification", "sequence_prob", "numeric")
        form = next((name for name in order if set(FORMATS[name][0]) <= has), "")
        if not form:
            wanted = "; ".join(f"{name}: {', '.join(FORMATS[name][0])}" for name in order)
            raise UserError(f"{path}: the columns {', '.join(map(str, fields))} fit no format; {wanted}")
    if form not in FORMATS:
        raise UserError(f"task 'inverse:{path}:{form}': unknown format {form!r}; use {', '.join(FORMATS)}")
    missing = [name for name in FORMATS[form][0] if name not in has]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}, which the format {form} needs")
    return form


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() == ".jsonl":
        for number, value in read_json_lines(path):
            if not isinstance(value, dict):
                raise UserError(f"{path}: line {number}: not a JSON object; write one object a line")
            yield Row(path, f"line {number}", value)
        return
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for number, record in enumerate(reader, start=1):
            if None in record or None in record.values():
                raise UserError(f"{path}: row {number}: has not as many fields as the header; quote texts with commas")
            yield Row(path, f"row {number}", {name: value for name, value in record.items() if name})
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not valid CSV ({error}); mend it there") from None


# ── One function a format ────────────────────────────────────────────────────────────────────────────────────
Leaves = Callable[[str, str, Sequence[Row]], tuple[Task, ...]]


def _classification(name: str, form: str, rows: Sequence[Row]) -> tuple[Task, ...]:
    return (_of_prompts(name, rows, "prompt"),)


def _paired(name: str, form: str, rows: Sequence[Row]) -> tuple[Task, ...]:
    """The prompts and the other prompts; the shift between them is the first leaf's headline."""
    for row in rows:
        if len(_classes(row)) != 2:
            row.fail("classes", "log-odds need two classes")
    shift = "absolute_log_odds_shift" if form == "absolute_logodds" else "log_odds_shift"
    first, other = (_of_prompts(f"{name}:{part}", rows, part) for part in ("prompt", "other_prompt"))
    first = replace(first, contrast=other.name, preferred_metric=shift)
    return tuple(replace(task, parent=name) for task in (first, other))


def _sequence(name: str, form: str, rows: Sequence[Row]) -> tuple[Task, ...]:
    examples = [
        Example(str(at), row.text("prompt"), (row.text("completion"),), metadata=_other_fields(row, form))
        for at, row in enumerate(rows)
    ]
    return (_task(name, examples, ("sequence_loss",), "sequence_loss"),)


def _numeric(name: str, form: str, rows: Sequence[Row]) -> tuple[Task, ...]:
    examples = []
    for at, row in enumerate(rows):
        metadata = {**_other_fields(row, form), "anchor": f"{row.number('anchor'):.12g}"}
        examples.append(Example(str(at), row.text("prompt"), (f"{row.number('true_answer'):.12g}",), metadata=metadata))
    task = _task(name, examples, ("relative_error", "anchor_pull", "extraction_rate"), "relative_error")
    return (replace(task, postprocess=Postprocess(NUMBER), max_tokens=NUMBER_TOKENS),)


def _of_prompts(name: str, rows: Sequence[Row], prompt: str) -> Task:
    """The classification of the texts in the column ``prompt``."""
    examples = []
    for at, row in enumerate(rows):
        classes = _classes(row)
        index = _answer_index(row, len(classes))
        scores = tuple(float(one == index) for one in range(len(classes)))
        rest = _other_fields(row, "logodds")
        examples.append(Example(str(at), row.text(prompt), (classes[index],), classes, scores, metadata=rest))
    return choice_task(name, examples)


def choice_task(name: str, examples: Sequence[Example]) -> Task:
    """A classification task over prompts that stand alone. Classes that begin without a space are flagged."""
    bare = any(not one[0].isspace() for example in examples for one in example.options)
    task = _task(name, examples, CHOICE_METRICS, CHOICE_METRICS[0])
    return replace(task, chance=blind_grade(examples), flags=("classes_without_space",) if bare else ())


def _task(name: str, examples: Sequence[Example], metrics: tuple[str, ...], preferred: str) -> Task:
    return Task(
        name=name,
        examples=tuple(examples),
        metrics=metrics,
        preferred_metric=preferred,
        rendering=PLAIN,
        keywords=("inverse scaling",),
        source="inverse",
    )


def _classes(row: Row) -> tuple[str, ...]:
    """The row's classes: two or more different texts, none empty."""
    value = row.fields.get("classes")
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            row.fail("classes", f"{value[:60]!r} is not a list of texts such as [' Yes', ' No']")
    classes = tuple(value) if isinstance(value, list | tuple) else ()
    texts = len(classes) > 1 and all(isinstance(one, str) and one for one in classes)
    if not texts or len(set(classes)) < len(classes):
        row.fail("classes", "give at least two different texts, such as [' Yes', ' No']")
    return classes


def _answer_index(row: Row, classes: int) -> int:
    value = row.number("answer_index")
    if value != int(value) or not 0 <= value < classes:
        row.fail("answer_index", f"{value:g} is not one of 0 to {classes - 1}")
    return int(value)


def _other_fields(row: Row, form: str) -> Mapping[str, object]:
    return {name: value for name, value in row.fields.items() if name not in FORMATS[form][0]}


FORMATS: Mapping[str, tuple[tuple[str, ...], Leaves]] = {
    "classification": (("prompt", "classes", "answer_index"), _classification),
    "logodds": (("prompt", "other_prompt", "classes", "answer_index"), _paired),
    "absolute_logodds": (("prompt", "other_prompt", "classes", "answer_index"), _paired),
    "sequence_prob": (("prompt", "completion"), _sequence),
    "numeric": (("prompt", "true_answer", "anchor"), _numeric),
}
"""Format → the columns it needs, and the function that makes its leaves."""
