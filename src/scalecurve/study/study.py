"""Study: what is asked of whom. A pydantic model of a study file (TOML).

    name = "arithmetic"
    models = ["lab"]                       # ladders or models by name, path or hub id; or [[models]] tables
    tasks = ["lab:addition", "./my/task.json"]   # or [[tasks]] tables with their own strategies, shots, metrics, limit
    strategies = ["direct", "chain_of_thought"]
    shots = [0, 3]

``load_study`` reads a file, ``parse_study`` a mapping. Both raise ``UserError`` with one line that names the file,
its line where known, the field and the fix. Names of tasks, models and metrics are checked by
``scalecurve.study.plan``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from scalecurve.errors import UserError
from scalecurve.study.effort import Effort
from scalecurve.util.guard import regular
from scalecurve.util.paths import absolute_path
from scalecurve.util.text import did_you_mean

THROUGHPUT_FIELDS = frozenset({"device", "batch_tokens", "description", "cache", "max_tokens_total"})
"""Fields that never change an answer's meaning: a run may be continued with other values of them."""


def _ref_table(value: object) -> Any:
    return {"ref": value} if isinstance(value, str) else value


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1)]
Shots = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[int, Field(ge=1)]
ShotPolicy = Literal["bigbench", "fixed", "balanced"]
Seed = Annotated[int, Field(ge=0, le=2**32 - 100)]  # NumPy's RandomState takes 32 bits, and 42 is added


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _fixed_with_prompts(table: Any) -> Any:
    """Worked examples from a prompt file are the same before every question, unless the table says otherwise."""
    return {"shot_policy": "fixed"} | table if isinstance(table, dict) and table.get("cot_prompts") else table


class ModelEntry(_Table):
    """A ladder or model by ``ref``, with ``rungs`` to keep only some; or one model written out in full.

    ``options`` go to the backend, by ``ref`` to that of every rung.
    """

    ref: str = Field("", description="A ladder or model: a name, a family file, a directory, a GGUF file, a Hub id.")
    rungs: tuple[str, ...] = Field((), description="With ref: only these models of the ladder.")
    family: str = Field("", description="The ladder that a single model belongs to; the study's name when absent.")
    name: str = Field("", description="Of a model written out.")
    backend: str = Field("", description="How a model written out is run: transformers, gguf, endpoint, vllm or mock.")
    location: str = Field("", description="Where it is: a directory, a file, a Hub id or an address.")
    revision: str = Field("", description="Branch, tag or commit at the Hub.")
    params_non_embedding: int | None = Field(None, ge=1, description="Parameters without embeddings.")
    params_total: int | None = Field(None, ge=1, description="All parameters.")
    training_flops: float | None = Field(None, gt=0, description="Floating-point operations of its training.")
    training_tokens: int | None = Field(None, ge=1, description="Tokens it was trained on.")
    step: int | None = Field(None, ge=0, description="Training step, of a checkpoint.")
    epoch: float | None = Field(None, ge=0, description="Passes over the training data, of a checkpoint.")
    loss: float | None = Field(None, description="Loss on held-out text.")
    options: dict[str, Any] = Field({}, description="For the backend, such as { chat = true }.")

    @property
    def mark(self) -> str:
        """What tells a model that is asked as a chat from the same model asked plainly, in its name."""
        return "+chat" if self.options.get("chat") else ""

    @model_validator(mode="after")
    def _ref_or_full(self) -> Self:
        written_out = self.model_fields_set - {"ref", "rungs", "family", "options"}
        if self.ref and written_out:
            raise ValueError(f"give either ref or a model written out, not ref and {', '.join(sorted(written_out))}")
        if not self.ref and not (self.name and self.backend and self.location):
            raise ValueError('name a ladder or model with ref = "…", or give name, backend and location')
        if not self.ref and self.rungs:
            raise ValueError("rungs selects from a ladder; it needs ref")
        return self


class TaskEntry(_Table):
    """A task by ``ref``; every other field replaces the study's value for this task only."""

    ref: Text = Field(description="lab:NAME, bigbench:NAME, … or the path of a task.json.")
    strategies: tuple[Text, ...] | None = Field(None, min_length=1, description="In place of the study's.")
    shots: tuple[Shots, ...] | None = Field(None, min_length=1, description="In place of the study's.")
    metrics: tuple[Text, ...] | None = Field(None, min_length=1, description="In place of the study's.")
    limit: Count | None = Field(None, description="In place of the study's.")
    max_tokens: Count | None = Field(None, description="In place of the study's.")
    shot_policy: ShotPolicy | None = Field(None, description="In place of the study's.")
    cot_prompts: Text | None = Field(None, description="In place of the study's.")

    _before = model_validator(mode="before")(_fixed_with_prompts)


class Study(_Table):
    """What is asked (tasks × strategies × shots × seeds) of whom (models). What a field means, it says itself."""

    name: Name = Field(description="The file's name when absent.")
    description: str = Field("", description="For readers.")
    models: tuple[Annotated[ModelEntry, BeforeValidator(_ref_table, str | ModelEntry)], ...] = Field(
        min_length=1, description="Who is asked: ladders or models."
    )
    tasks: tuple[Annotated[TaskEntry, BeforeValidator(_ref_table, str | TaskEntry)], ...] = Field(
        min_length=1, description="What is asked; a container stands for all its subtasks."
    )
    strategies: tuple[Text, ...] = Field(
        ("direct",), min_length=1, description="How it is asked: a name, a prompt file, my.py:FUNCTION."
    )
    shots: tuple[Shots, ...] = Field((0,), min_length=1, description="Worked examples before the question.")
    metrics: tuple[Text, ...] = Field((), description="Each task's own and their companions when absent.")
    limit: Count | None = Field(None, description="Examples of each task; all when absent.")
    seed: Seed = Field(0, description="Of the draw of shots and of sampling.")
    seeds: tuple[Seed, ...] = Field((), description="In place of seed: a cell for each.")
    repeats: Count = Field(
        1, description="How often each question is asked, with sampling: pass@k, majority@k, and means over all."
    )
    effort: Effort | None = Field(
        None, description="Compute at answer time: one setting and its values, each asked as a strategy of its own."
    )
    shot_policy: ShotPolicy = Field(
        "bigbench", description="bigbench: new shots for every question; fixed; balanced over the answers."
    )
    cot_prompts: Text | None = Field(None, description="A file of worked examples, or a directory with one a task.")
    mode: Text = Field("faithful", description="How defects of BIG-bench tasks are treated: faithful or corrected.")
    max_tokens: Count | None = Field(None, description="Longest generation; the task's when absent.")
    settings: dict[str, Any] = Field({}, description="For the strategies.")
    device: Text = Field("auto", description="cpu, cuda, cuda:1, mps or auto.")
    dtype: Literal["float32", "float16", "bfloat16"] = Field("float32", description="Precision of local models.")
    batch_tokens: Count | None = Field(None, description="Most tokens computed at once.")
    part_size: Count | None = Field(
        None, description="Examples computed and written as a whole; by the model's size when absent."
    )
    order: Literal["file", "random"] = Field(
        "file", description="Of the examples: the file's, or one random order for all models (--until needs it)."
    )
    cache: Text | None = Field(None, description="File of answers shared between runs; made where absent.")
    max_tokens_total: Count | None = Field(None, description="Most tokens each served model may spend.")
    _source: str = PrivateAttr("study")

    _before = model_validator(mode="before")(_fixed_with_prompts)

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if self.seeds and "seed" in self.model_fields_set:
            raise ValueError("give either seed or seeds, not both")
        if self.seeds and self.repeats > 1:
            raise ValueError("repeats counts up from seed by itself; give seed, not seeds")
        for field in ("strategies", "shots", "metrics", "seeds"):
            _once(field, getattr(self, field))
        _once("tasks", [entry.ref for entry in self.tasks], "give the task's strategies and shots in one entry")
        named = [entry.name for entry in self.models if entry.name]
        _once("models", named, "two models with one name cannot be told apart; rename one")
        _once("models", [entry.ref + entry.mark for entry in self.models if entry.ref])
        return self

    @property
    def source(self) -> str:
        """Where the study was read from, for messages."""
        return self._source

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The seeds of the cells: ``seeds``, or ``seed`` and, one for each repeat, those that follow."""
        return self.seeds or tuple(self.seed + repeat for repeat in range(self.repeats))

    def draw_seed(self, seed: int) -> int:
        """The seed by which shots are drawn in a cell of ``seed``: all repeats of a question have the same."""
        return self.seed if self.repeats > 1 else seed

    def values(self) -> dict[str, Any]:
        """The study as plain values, defaults included, that ``parse_study`` makes the same study of."""
        values = self.model_dump(exclude={"models", "tasks", "seed" if self.seeds else "seeds"})
        values["models"] = [entry.model_dump(exclude_defaults=True) for entry in self.models]
        values["tasks"] = [entry.model_dump(exclude_defaults=True) for entry in self.tasks]
        return {name: _without_none(value) for name, value in values.items() if value is not None}

    def to_toml(self) -> str:
        """The study as TOML, every value given or defaulted, so that it reads back equal."""
        import tomli_w

        return tomli_w.dumps(self.values())

    def same_questions(self, other: Study) -> bool:
        """Whether a run of ``other`` can be continued as a run of this study."""
        return self.model_dump(exclude=set(THROUGHPUT_FIELDS)) == other.model_dump(exclude=set(THROUGHPUT_FIELDS))


def load_study(path: str | Path, *, models: Sequence[str] = ()) -> Study:
    """Read a study file. Paths in it are relative to it; ``name`` defaults to the file's stem. ``models``, where given,
    take the place of the file's own, which may then have none."""
    path = Path(path)
    try:
        text = regular(path, 1 << 24).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such study file; give the path of a TOML file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a directory, not a study file; give the path of a TOML file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(_toml_message(path, text, str(error))) from None
    if models:
        data["models"] = list(models)
    data.setdefault("name", re.sub(r"[^A-Za-z0-9._+-]+", "-", path.stem).lstrip("-._+") or "study")
    return parse_study(data, source=str(path), text=text, base=path.parent)


def parse_study(
    data: Mapping[str, object], *, source: str = "study", text: str = "", base: Path | None = None
) -> Study:
    """Validate ``data``. ``source`` and ``text`` (the file's) serve the error messages; ``base`` resolves paths."""
    try:
        study = Study.model_validate(data)
    except ValidationError as error:
        raise UserError(_validation_message(source, text, error)) from None
    study = study if base is None else _resolve_paths(study, base)
    study._source = source
    return study


def study_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a study file, made of ``Study`` itself, for editors to check and complete by.

    It cannot tell whether tasks, models and metrics exist; and what the reader lets pass, such as a number written as
    text, it marks.
    """
    schema: dict[str, Any] = _without_null(Study.model_json_schema())
    schema["required"] = [field for field in schema["required"] if field != "name"]  # the file's name stands in
    schema["not"] = {"required": ["seed", "seeds"]}
    for field in ("models", "tasks", "strategies", "shots", "metrics", "seeds"):
        schema["properties"][field]["uniqueItems"] = True
    written_out = [field for field in ModelEntry.model_fields if field not in ("ref", "rungs", "family", "options")]
    schema["$defs"]["ModelEntry"]["oneOf"] = [
        {"required": ["ref"], "not": {"anyOf": [{"required": [field]} for field in written_out]}},
        {
            "required": ["name", "backend", "location"],
            "not": {"anyOf": [{"required": ["ref"]}, {"required": ["rungs"]}]},
        },
    ]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "scalecurve study"}
    return head | {key: value for key, value in schema.items() if key != "title"}


def _without_null(schema: Any) -> Any:
    """A schema without null, which TOML has not, and without the titles that only repeat names."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: _without_null(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    if {"type": "null"} in kept.get("anyOf", ()):
        (only,) = (option for option in kept.pop("anyOf") if option != {"type": "null"})
        return only | kept
    return kept


def _once(field: str, values: Sequence[object], fix: str = "remove the repetition") -> None:
    twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
    if twice is not None:
        raise ValueError(f"{field}: {twice!r} is given twice; {fix}")


def _without_none(value: object) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def _resolve_paths(study: Study, base: Path) -> Study:
    """Make references to existing files absolute, so that the study means the same wherever it is read."""
    from scalecurve.tasks.registry import find_format

    def absolute(ref: str) -> str:
        return absolute_path(ref, base)

    def model(ref: str) -> str:
        source, colon, rest = ref.partition(":")
        if not colon or source != "checkpoints":
            return absolute(ref)
        path, colon, more = rest.partition(":")
        return f"{source}:{absolute(path)}{colon}{more}"

    def task(ref: str) -> str:
        source, colon, rest = ref.partition(":")
        known = find_format(source) if colon else None
        return f"{source}:{known.absolute(rest, base)}" if known else absolute(ref)

    def strategy(ref: str) -> str:
        file, _, function = ref.rpartition(":")
        return f"{(base / file).resolve()}:{function}" if file.endswith(".py") else absolute(ref)

    def inside(path: str | None) -> str | None:
        return path if path is None else str((base / path).resolve())

    models = tuple(
        entry.model_copy(update={"ref": model(entry.ref), "location": absolute(entry.location)})
        for entry in study.models
    )
    tasks = tuple(
        entry.model_copy(
            update={"ref": task(entry.ref), "cot_prompts": inside(entry.cot_prompts)}
            | ({"strategies": tuple(map(strategy, entry.strategies))} if entry.strategies else {})
        )
        for entry in study.tasks
    )
    files: dict[str, Any] = {"cot_prompts": inside(study.cot_prompts), "cache": inside(study.cache)}
    settings = dict(study.settings)
    if isinstance(settings.get("controller"), str):
        settings["controller"] = absolute(settings["controller"])
    files |= {"settings": settings, "strategies": tuple(map(strategy, study.strategies))}
    return study.model_copy(update={"models": models, "tasks": tasks} | files)


# ── Error messages ───────────────────────────────────────────────────────────────────────────────────────────
def _toml_message(path: Path, text: str, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    at_end = "end of document" in message
    line = found.group(1) if found else str(len(text.splitlines())) if at_end else ""
    reason = re.sub(r"\s*\(at .*\)$", "", message)
    return f"{path}{':' + line if line else ''}: not valid TOML: {reason}; mend this line"


def _validation_message(source: str, text: str, error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    loc = tuple(part for part in first["loc"] if not str(part).startswith("function-"))
    line = _line_of(text, loc)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{source}{f':{line}' if line else ''}: {_problem(first, loc)}{more}"


def _problem(problem: Any, loc: tuple[str | int, ...]) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    kind, message = problem["type"], str(problem["msg"])
    if kind == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {"models": ModelEntry, "tasks": TaskEntry}
        fields = list(tables.get(str(loc[0]) if len(loc) > 1 else "", Study).model_fields)
        fix = did_you_mean(str(loc[-1]), fields, f"the fields are {', '.join(fields)}")
        return f"{where}: unknown field; {fix}"
    if kind == "missing":
        return f"{where}: missing; add {loc[-1]} = …"
    if kind == "value_error":
        return f"{where + ': ' if where else ''}{message.removeprefix('Value error, ')}"
    if kind == "string_pattern_mismatch":
        return f"{where}: {problem['input']!r}: use letters, digits and . _ + - only, starting with a letter or digit"
    message = message.replace("Input should", "should").replace("valid tuple", "list")
    return f"{where}: {message}; got {str(problem['input'])[:60]!r}"


def _line_of(text: str, loc: tuple[str | int, ...]) -> int | None:
    """The line of the field at ``loc`` in a TOML text, found by its key; None when it is not there."""
    if not text or not loc:
        return None
    lines = text.splitlines()
    start, end = 0, len(lines)
    if len(loc) > 1 and isinstance(loc[1], int):
        headers = [i for i, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{loc[0]}\s*\]\]", line)]
        if loc[1] < len(headers):
            start = headers[loc[1]]
            end = next((i for i in range(start + 1, end) if lines[i].lstrip().startswith("[")), end)
            names = [part for part in loc[2:] if isinstance(part, str)]
            return _key_line(lines, start, end, names[0]) if names else start + 1
    return _key_line(lines, start, end, str(loc[0]))


def _key_line(lines: list[str], start: int, end: int, key: str) -> int | None:
    pattern = rf"""\s*(\[+\s*)?["']?{re.escape(key)}["']?\s*[=\].]"""
    at = next((i for i in range(start, end) if re.match(pattern, lines[i])), None)
    return at + 1 if at is not None else start + 1 if start else None
