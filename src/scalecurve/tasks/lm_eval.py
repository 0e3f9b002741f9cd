"""A task of lm-evaluation-harness (a YAML file with local data) as one of ours: ``lm-eval:PATH/task.yaml``.

Prompts, answers, shots and metrics are the harness's own (0.4.13); ``docs/export.md`` says what is supported. Templates
run in Jinja's sandbox, and the whole file is read in a process of its own with limits of time and memory. A file with
several filter pipelines is a container: one leaf a pipeline.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.tasks.lm_eval_docs import Doc, data_files, read_docs
from scalecurve.tasks.lm_eval_yaml import Config, filter_list, generation, ignored, metric_list, read_config
from scalecurve.tasks.reader import blind_grade, fingerprint
from scalecurve.tasks.registry import leaf_name, pick_subtask, task_format
from scalecurve.types import Example, Harness, Rendering, Task
from scalecurve.util.guard import confined
from scalecurve.util.paths import absolute_path
from scalecurve.util.text import one_line

if TYPE_CHECKING:
    from jinja2 import Template

SOURCE = "lm-eval"


def _absolute(rest: str, base: Path) -> str:
    path, colon, more = rest.partition(":")
    return f"{absolute_path(path, base)}{colon}{more}"


def load_with_code(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """As ``load_lm_eval``; what that refuses, and what is no file but a name, lm-evaluation-harness itself builds.

    ``FILE@SHOTS`` or ``NAME@SHOTS`` has it built with so many shots.
    """
    from scalecurve.tasks.harness.build import built
    from scalecurve.tasks.harness.process import installed

    spec, at, shots = rest.rpartition("@")
    spec, asked = (spec, int(shots)) if at and shots.isdecimal() else (rest, None)
    if asked is None and (Path(rest.partition(":")[0]).is_file() or not installed()):
        try:
            return read_plain(rest)
        except UserError as error:
            if not installed() or not Path(rest).is_file():
                raise
            refused = str(error)
    else:
        refused = ""
    try:
        return built(spec, asked)
    except UserError as error:
        raise UserError(f"{error} (and not read as data alone: {refused})" if refused else str(error)) from None


@task_format(
    SOURCE,
    tells_source=True,
    absolute=_absolute,
    leaf=lambda named, task: named if task.harness and task.harness.built else f"{named}:{leaf_name(task)}",
    with_code=load_with_code,
)
def load_lm_eval(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The leaves of ``PATH`` or the one of ``PATH:PIPELINE``."""
    try:
        return read_plain(rest)
    except UserError as error:
        advice = "; or add --allow-code: the harness itself builds it then (pip install lm_eval)"
        raise UserError(f"{error}{advice if _mended_by_code(rest, str(error)) else ''}") from None


def _mended_by_code(rest: str, error: str) -> bool:
    """Whether the harness may make something of it: what is code or not supported, and names that are no file."""
    if not Path(rest).suffix and "/" not in rest:
        return True
    return any(part in error for part in ("is code", "not supported", "not read here", "is no YAML file beside it"))


def read_plain(rest: str) -> tuple[Task, ...]:
    """The leaves of a file that is data alone."""
    path, pipeline = (rest, "") if Path(rest).is_file() or ":" not in rest else rest.rsplit(":", 1)
    leaves = confined(path, f"{__name__}:read_lm_eval", Path(path).expanduser())
    return pick_subtask(leaves, f"{SOURCE}:{path}", pipeline)


def read_lm_eval(path: Path) -> tuple[Task, ...]:
    """The task of a YAML file, once for each of its filter pipelines. ``UserError`` names the file and the field."""
    config = read_config(path)
    reading = _Reading(config)
    base = _task(config, reading)
    pipelines = filter_list(config)
    leaves = []
    for name, steps in pipelines.items():
        assert base.harness is not None
        own = replace(base, harness=replace(base.harness, filters=tuple(dict(step) for step in steps)))
        if len(pipelines) > 1:
            own = replace(own, name=f"{base.name}:{name}", parent=base.name)
        leaves.append(replace(own, fingerprint=fingerprint(own)))
    return tuple(leaves)


def _task(config: Config, reading: _Reading) -> Task:
    kind = config.output_type
    metrics = tuple(str(entry["metric"]) for entry in metric_list(config))
    examples = tuple(reading.example(at, doc) for at, doc in enumerate(reading.docs))
    until, length = generation(config) if kind == "generate_until" else ((), 1)
    metadata = config.get("metadata", {})
    return Task(
        name=str(config.get("task", config.path.stem)),
        examples=examples,
        metrics=metrics,
        preferred_metric=metrics[0],
        rendering=Rendering(
            task_prefix=reading.description,
            input_prefix="",
            output_prefix="",
            separator=config.fewshot("fewshot_delimiter", config.get("fewshot_delimiter", "\n\n")),
            append_choices=False,
        ),
        chance=blind_grade(examples) if kind == "multiple_choice" else 0.0,
        max_tokens=length,
        description=reading.description.strip(),
        source=SOURCE,
        flags=("gold_out_of_range",) if reading.out_of_range else (),
        worked=reading.shots(),
        harness=Harness(
            output_type=kind,
            target_delimiter=reading.delimiter,
            until=until,
            ignore=ignored(config),
            num_fewshot=config.get("num_fewshot"),
            sampler=config.fewshot("sampler", "default"),
            leave_out=config.fewshot("split", config.get("fewshot_split")) == config.get("test_split"),
            version=str(metadata.get("version", "")) if isinstance(metadata, dict) else "",
        ),
    )


class _Reading:
    """The documents of a task, and what its templates make of them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        kind = str(config.get("dataset_path"))
        files = data_files(str(config.path), kind, config.get("dataset_kwargs"), config.path.parent)
        self._kind, self._files, self._read = kind, files, dict[str, list[Doc]]()
        asked = "test_split" if config.get("test_split") else "validation_split"
        self.docs = self._split(asked, config.get(asked))
        self.columns = frozenset(self.docs[0])
        self.delimiter = str(config.get("target_delimiter", " "))
        self.out_of_range = False
        self.pool = self._pool()
        self.several = isinstance(self._target(self.docs[0], 0, "doc_to_target"), list)
        self.description = self._description()

    def _split(self, field: str, name: str) -> list[Doc]:
        if name not in self._files:
            self.config.fail(field, f"{name!r} is not among the data_files ({', '.join(self._files)})")
        if name not in self._read:
            self._read[name] = read_docs(self._kind, self._files[name])
        if not self._read[name]:
            self.config.fail(field, f"{name!r} has no document")
        return self._read[name]

    def _pool(self) -> Sequence[Doc]:
        """Where shots are drawn from: the split or samples named for it, else training, validation, test."""
        config = self.config
        named = config.fewshot("split", config.get("fewshot_split"))
        if named:
            return self._split("fewshot_split", named)
        samples = config.fewshot("samples")
        if samples is not None:
            return list(samples)
        field = next(name for name in ("training_split", "validation_split", "test_split") if config.get(name))
        return self._split(field, config.get(field))

    def _description(self) -> str:
        given = self.config.get("description", "")
        told = {self._resolved(given, doc, at, "description") for at, doc in enumerate(self.docs)} if given else {""}
        if len(told) > 1:
            self.config.fail("description", "differs between documents; put it into doc_to_text")
        return told.pop()

    # ── Documents to examples ───────────────────────────────────────────────────────────────────────────────
    def example(self, at: int, doc: Doc) -> Example:
        """The question of a document, its answers, and its hash, by which the harness's samples name it."""
        kind = self.config.output_type
        text = self._text(doc, at, "doc_to_text")
        prefix = self._prefix(doc, at, "gen_prefix")
        if prefix:
            text += (self.delimiter if _apart(text, prefix) else "") + prefix
        own: dict[str, Any] = {}
        if kind == "multiple_choice":
            choices = self._choices(doc, at, "doc_to_choice")
            gold = self._gold(doc, at, choices)
            options = tuple(self.delimiter + choice for choice in choices)
            scores = tuple(float(number in gold) for number in range(len(choices)))
            own = {"options": options, "option_scores": scores, "targets": tuple(options[number] for number in gold)}
        elif kind == "loglikelihood":
            target = self._target(doc, at, "doc_to_target")
            if not isinstance(target, str) or not target:
                self.config.fail("doc_to_target", f"gives {target!r} for document {at}; it must be a text")
            own = {"options": (target,), "option_scores": (1.0,), "targets": (target,)}
        else:
            own = {"targets": self._wanted(doc, at)}
        return Example(id=str(at), input=text, metadata={"doc_hash": doc_hash(doc)}, **own)

    def shots(self) -> tuple[Example, ...]:
        """The pool, answered; nothing where it cannot be, unless the file itself asks for shots."""
        try:
            return tuple(self.shot(at, doc) for at, doc in enumerate(self.pool))
        except UserError:
            if self.config.get("num_fewshot"):
                raise
            return ()

    def shot(self, at: int, doc: Doc) -> Example:
        """A document answered: everything up to the answer, and the answer with what stands before it."""
        config = self.config
        text = self._text(doc, at, "fewshot_config.doc_to_text")
        target = self._target(doc, at, "fewshot_config.doc_to_target")
        if isinstance(target, int) and config.fewshot("doc_to_choice", config.get("doc_to_choice")) is not None:
            choices = self._choices(doc, at, "fewshot_config.doc_to_choice")
            if not -len(choices) <= target < len(choices):
                config.fail("doc_to_target", f"gives {target} for document {at} of the shots, which has no such choice")
            target = choices[target]
        if isinstance(target, list):
            target = target[0] if target else ""
        if not isinstance(target, str) or not target:
            config.fail("doc_to_target", f"gives {target!r} for document {at} of the shots; it must be a text")
        delimiter = config.fewshot("target_delimiter", self.delimiter)
        prefix = self._prefix(doc, at, "fewshot_config.gen_prefix")
        if prefix:
            text += (delimiter if _apart(text, prefix) else "") + prefix
            target = (" " if _apart(prefix, target) else "") + target
        else:
            target = delimiter + target
        return Example(id=f"shot{at}", input=text, targets=(target,), metadata={"doc_hash": doc_hash(doc)})

    def _gold(self, doc: Doc, at: int, choices: Sequence[str]) -> list[int]:
        """The indices of the right choices; those the document names but lacks are left out and flagged."""
        target = self._target(doc, at, "doc_to_target")
        named = target if isinstance(target, list) else [target]
        numbers = [choices.index(one) if isinstance(one, str) and one in choices else one for one in named]
        gold = [one for one in numbers if isinstance(one, int) and 0 <= one < len(choices)]
        self.out_of_range |= len(gold) < len(numbers)
        return gold

    def _wanted(self, doc: Doc, at: int) -> tuple[str, ...]:
        """The texts that count as right."""
        target = self._target(doc, at, "doc_to_target")
        if self.config.get("doc_to_choice") is not None:
            choices = self._choices(doc, at, "doc_to_choice")
            if not isinstance(target, int) or not -len(choices) <= target < len(choices):
                self.config.fail("doc_to_target", f"gives {target!r} for document {at}; it must number a choice")
            return (choices[target],)
        if self.several and isinstance(target, list):
            return tuple(map(str, target))
        return (str(target),)

    # ── Fields ──────────────────────────────────────────────────────────────────────────────────────────────
    def _field(self, field: str) -> Any:
        """A field's own value; one of ``fewshot_config`` falls back to the task's."""
        table, _, name = field.rpartition(".")
        return self.config.fewshot(name, self.config.get(name)) if table else self.config.get(name)

    def _text(self, doc: Doc, at: int, field: str) -> str:
        value = self._field(field)
        text = doc[value] if value in self.columns and value in doc else value
        if text is value and isinstance(value, str):
            text = self._render(value, doc, field, at)
            if text.isdecimal() and self.config.get("doc_to_choice") is not None:
                text = int(text)
        if isinstance(text, int) and not isinstance(text, bool):
            self.config.fail(field, "gives a number: choices inside the context are not supported; give the text")
        if not isinstance(text, str):
            self.config.fail(field, f"gives {text!r} for document {at}; it must be a text")
        return text

    def _target(self, doc: Doc, at: int, field: str) -> Any:
        """A number, a text, or a list: a column's value, or what a template gives, numbers and lists read from it."""
        value = self._field(field)
        if not isinstance(value, str):
            return value
        if value in self.columns and value in doc:
            return doc[value]
        text = self._render(value, doc, field, at)
        if text.isdecimal() and self.config.get("doc_to_choice") is not None:
            return int(text)
        if len(text) >= 2 and text[0] == "[" and text[-1] == "]":
            try:
                return ast.literal_eval(text)
            except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
                return text
        return text

    def _choices(self, doc: Doc, at: int, field: str) -> list[str]:
        value = self._field(field)
        if isinstance(value, dict):
            value = list(value.values())
        elif isinstance(value, str) and value in self.columns and value in doc:
            value = doc[value]
        elif isinstance(value, str):
            text = self._render(value, doc, field, at)
            try:
                value = ast.literal_eval(text)
            except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
                self.config.fail(field, f"gives {text[:60]!r} for document {at}; it must be a list of texts")
        if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
            self.config.fail(field, f"gives {value!r} for document {at}; it must be a list of texts")
        return value

    def _prefix(self, doc: Doc, at: int, field: str) -> str:
        value = self._field(field)
        return self._resolved(value, doc, at, field) if value else ""

    def _resolved(self, value: str, doc: Doc, at: int, field: str) -> str:
        return str(doc[value]) if value in doc else self._render(value, doc, field, at)

    def _render(self, template: str, doc: Doc, field: str, at: int) -> str:
        from jinja2 import TemplateError

        try:
            return _compiled(template).render(**doc)
        except (TemplateError, re.error, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            reason = one_line(error, 160)
            raise UserError(f"{self.config.path}: {field}: document {at}: {reason}") from None


@cache
def _compiled(template: str) -> Template:
    """A template in a sandbox, with the harness's settings and its one filter."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["regex_replace"] = _regex_replace
    return environment.from_string(template)


def _regex_replace(text: str, pattern: str, repl: str, count: int = 0) -> str:
    return re.sub(pattern, repl, text, count=count)


def _apart(before: str, after: str) -> bool:
    """Whether neither side has a blank where they meet."""
    return bool(before and after) and not (before[-1].isspace() or after[0].isspace())


def doc_hash(doc: Mapping[str, object]) -> str:
    """The harness's hash of a document."""
    return hashlib.sha256(json.dumps(doc, indent=2, ensure_ascii=False, default=str).encode()).hexdigest()
