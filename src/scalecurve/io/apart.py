"""Columns that tell a table's rows apart beside model, task and metric: part of a task, kind of a model, a setting.

A split, a language or a subset makes another task, a quantisation or a precision another model; a template, a
temperature or a harness's version is a setting, which may differ but is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scalecurve.io.cells import model_name, plain_text
from scalecurve.io.headings import plain
from scalecurve.io.shape import SourceModel

if TYPE_CHECKING:
    import polars as pl

_PARTS = (
    "split data_split eval_split dataset_split test_split subset dataset_subset subtask sub_task subject "
    "dataset_config config_name dataset dataset_name lang language locale sprache langue idioma 语言 子集 子任务 科目"
).split()
_MAY_BE_PARTS = "category domain topic difficulty level config group type 类别 领域 难度".split()
"""Parts of a task too, unless they say something of the model: every model has one of them only."""
_KINDS = (
    "quant quantization quantisation quant_method quant_type quantized weight_quantization dtype torch_dtype "
    "model_dtype precision weight_precision bits n_bits weight_bits kv_cache kv_cache_dtype adapter peft lora "
    "quantisierung 量化 数据类型"
).split()
_SETTINGS = (
    "prompt_name prompt_id prompt_template prompt_version prompt_type template template_name chat_template "
    "apply_chat_template system_prompt system_instruction instruction temperature top_p top_k decoding sampling "
    "max_tokens max_new_tokens max_gen_toks max_length harness harness_version lm_eval_version eval_version framework "
    "framework_version evaluator backend batch_size 模板 温度 提示词模板"
).split()
FULL = re.compile(
    r"|-|none|null|no|false|n/a|nan|full|base|original|unquanti[sz]ed|half|"
    r"(torch\.)?(float|bfloat|fp|bf|f)?[-_ ]?(16|32|64)([-_ ]?bits?)?(\.0)?",
    re.IGNORECASE,
)
"""Weights as they were trained, or rounded to 16 bits: no quantisation."""
HYPERPARAMETERS = frozenset(
    "temperature top_p top_k max_tokens max_new_tokens max_gen_toks max_length batch_size bits n_bits weight_bits seed "
    "learning_rate lr dropout num_gpus n_gpus gpus level warmup_steps weight_decay".split()
)
"""Columns of numbers that are no scores."""


@dataclass(frozen=True)
class Apart:
    """The columns that tell a table's rows apart: ``parts`` of tasks, ``kinds`` of models, ``settings``.

    ``of_task``: (task, column) of the parts in which a task's rows differ. ``usual``: (model, column) of full
    precisions that make no other model of it, since it has one of them only.
    """

    parts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    of_task: frozenset[tuple[str, str]] = frozenset()
    usual: frozenset[tuple[str, str]] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.parts, *self.kinds, *self.settings)

    def part(self, row: Mapping[str, object], task: str) -> str:
        """What a row adds to the name of its task (``_fr``); "" for nothing."""
        told = [_text(row[column]) for column in self.parts if (task, column) in self.of_task]
        return "".join(f"_{one}" for one in told if one)

    def other(self, model: SourceModel, row: Mapping[str, object]) -> SourceModel:
        """The model of a row: quantised weights are a variant of it, and so is an adapter; one of several precisions
        that are no quantisation is a revision."""
        told = [(column, value) for column in self.kinds if (value := _text(row[column]))]
        variants = [f"{plain(column)}={value}" for column, value in told if not FULL.fullmatch(value)]
        if variants:
            return replace(model, variant=",".join([*filter(None, [model.variant]), *variants]))
        precise = [value for column, value in told if (model.name, column) not in self.usual]
        return replace(model, revision=precise[0]) if precise and not model.revision else model

    def notes(self) -> Iterator[str]:
        """What is worth telling of it."""
        if parts := dict.fromkeys(column for _, column in sorted(self.of_task)):
            yield f"rows of one task differ in {' and '.join(parts)}, and each is a task of its own"
        if self.kinds:
            yield f"column {' and '.join(self.kinds)}: quantised weights, and a second precision, are other models"

    def setting(self, row: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
        return tuple((column, _text(row[column])) for column in self.settings)


def candidates(names: Sequence[str], taken: Sequence[str]) -> Apart:
    """The columns of a table that may tell rows apart, by their names; ``taken`` are those that mean another thing."""
    free = [name for name in names if name not in taken]
    return Apart(
        tuple(name for name in free if plain(name) in (*_PARTS, *_MAY_BE_PARTS)),
        tuple(name for name in free if plain(name) in _KINDS),
        tuple(name for name in free if plain(name) in _SETTINGS),
    )


def told_apart(frame: pl.DataFrame, found: Apart, model: str, task: str = "") -> Apart:
    """``found``, with what the rows of ``frame`` say: ``model`` and ``task`` are the columns of these ("": a row holds
    the scores of many tasks)."""
    if not found.columns:
        return found
    parts = [column for column in found.parts if _several(frame, column, model) or (task and plain(column) in _PARTS)]
    of_task: set[tuple[str, str]] = set()
    for column in parts:
        if not task:
            of_task |= {("", column)}
            continue
        values: dict[str, set[str]] = {}
        for own, value in frame.select(task, column).unique().rows():
            values.setdefault(_text(own), set()).add(_text(value))
        of_task |= {(own, column) for own, seen in values.items() if len(seen) > 1}
    usual = frozenset(key for column in found.kinds for key in _usual(frame, column, model))
    return Apart(tuple(parts), found.kinds, found.settings, frozenset(of_task), usual)


def _several(frame: pl.DataFrame, column: str, model: str) -> bool:
    """Whether a model stands there with several values of a column."""
    return column in differing(frame, [model], [column])


def _usual(frame: pl.DataFrame, column: str, model: str) -> Iterator[tuple[str, str]]:
    """(model, column) of the models that have one value of full precision at most."""
    seen: dict[str, set[str]] = {}
    for own, value in frame.select(model, column).unique().rows():
        seen.setdefault(model_name(own), set()).update([_text(value)] if FULL.fullmatch(_text(value)) else [])
    yield from ((own, column) for own, values in seen.items() if len(values) < 2)


def differing(frame: pl.DataFrame, key: Sequence[str], others: Sequence[str]) -> list[str]:
    """The columns among ``others`` in which rows differ that are equal in ``key``."""
    if not others or not key:
        return []
    import polars as pl

    counts = frame.group_by(key).agg(pl.col(name).n_unique() for name in others)
    return [name for name in others if (counts[name] > 1).any()]


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return plain_text(value)
