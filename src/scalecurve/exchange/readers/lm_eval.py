"""lm-evaluation-harness: results and samples of 0.4, results and ``write_out`` files of 0.3, as Pythia published them.

0.4 writes ``<model>/results_<time>.json`` and beside it ``samples_<task>_<time>.jsonl``; 0.3 writes results to any
file, and answers to ``<task>_write_out_info.json``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scalecurve.exchange.readers.lm_eval_samples import old_samples, samples
from scalecurve.exchange.shape import (
    Asked,
    Found,
    Model,
    Point,
    Role,
    Samples,
    finite,
    higher_is_better,
    reader,
    safe_name,
)
from scalecurve.exchange.sources import Source

_NO_METRIC = ("alias", "name", "sample_len", "sample_count", "samples")
_PROMPT_KEYS = (
    "dataset_path", "dataset_name", "test_split", "doc_to_text", "doc_to_target", "doc_to_choice", "description",
    "target_delimiter", "fewshot_delimiter", "output_type", "process_docs",
)  # fmt: skip


def _role(source: Source) -> Role:
    name = source.path.name
    if name.startswith("samples_") and name.endswith(".jsonl"):
        return "part"
    if name.endswith("_write_out_info.json"):
        return "part"
    content = source.json
    known = isinstance(content, dict) and isinstance(content.get("results"), dict) and "versions" in content
    return "head" if known and "config_general" not in content else ""


@reader("lm-eval", _role)
def read(source: Source) -> Iterable[Found]:
    """The points of one results file, and the samples beside it. Rows of groups are left out."""
    content = source.json
    config = content.get("config")
    if not isinstance(config, dict):
        raise source.fail("config: is missing, so the model is unknown; give the file as the harness wrote it")
    model = _model(source, content, config)
    for task, row in content["results"].items():
        if (content.get("group_subtasks") or {}).get(task):
            continue
        if not isinstance(row, dict):
            raise source.fail(f"results.{task}: must be an object of metrics")
        asked = _asked(source, content, config, model, task)
        better = (content.get("higher_is_better") or {}).get(task) or {}
        yield from _points(content, asked, task, row, better)
        rolling = ((content.get("configs") or {}).get(task) or {}).get("output_type") == "loglikelihood_rolling"
        yield from _samples(source, asked, task, better, rolling)


def _asked(source: Source, content: Mapping[str, Any], config: Mapping[str, Any], model: Model, task: str) -> Asked:
    shots = content["n-shot"].get(task) if "n-shot" in content else config.get("num_fewshot", source.shots)
    if not isinstance(shots, int):
        raise source.fail(f"the number of shots of {task} is missing (n-shot, or config.num_fewshot)")
    seed = config.get("fewshot_seed")
    version = str((content.get("versions") or {}).get(task, ""))
    prompts = _prompts((content.get("configs") or {}).get(task))
    return Asked(
        model,
        f"lm-eval:{task}",
        shots,
        version=f"{version} (prompts {prompts})" if prompts else version,
        seed=seed if isinstance(seed, int) and shots else 0,
        strategy="published-chat" if content.get("chat_template") else "published",
    )


def _prompts(config: Any) -> str:
    """A short hash of what a task's configuration says of its prompts; "" when there is none."""
    if not isinstance(config, dict):
        return ""
    said = json.dumps([config.get(key) for key in _PROMPT_KEYS], sort_keys=True, default=str)
    return hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", said).encode()).hexdigest()[:8]


def _points(
    content: Mapping[str, Any], asked: Asked, task: str, row: Mapping[str, Any], better: Mapping[str, Any]
) -> Iterator[Point]:
    counted = (content.get("n-samples") or {}).get(task)
    stated = counted.get("effective") if isinstance(counted, dict) else None
    for key, value in row.items():
        metric, _, kind = key.partition(",")
        if metric.endswith("_stderr") or metric in _NO_METRIC or isinstance(value, (str, list, dict)):
            continue
        number = finite(value)
        se = finite(row.get(f"{metric}_stderr,{kind}" if kind else f"{metric}_stderr"))
        up = better.get(metric)
        yield Point(
            asked,
            named(metric, kind),
            number,
            se,
            n=stated if isinstance(stated, int) else None if number is None else items(number, se),
            higher_is_better=higher_is_better(metric) if up is None else bool(up),
        )


def _samples(source: Source, asked: Asked, task: str, better: Mapping[str, Any], rolling: bool) -> Iterator[Samples]:
    time = source.path.stem.removeprefix("results")
    new = source.beside(f"samples_{task}{time}.jsonl") or source.beside(f"samples_{safe_name(task)}{time}.jsonl")
    if new is not None:
        yield Samples(asked, new, samples(new, named, rolling), {name: bool(up) for name, up in better.items()})
        return
    old = source.beside(f"{task}_write_out_info.json")
    if old is not None:
        yield Samples(asked, old, old_samples(old))


def named(metric: str, kind: str) -> str:
    """A metric as a curve carries it: with its filter, unless that is ``none``."""
    return metric if kind in ("", "none") else f"{metric},{kind}"


def items(share: float, se: float | None) -> int | None:
    """The number of items behind a share and its standard error √(p(1 − p)/(n − 1)); None when no whole number fits."""
    if not se or not 0 < share < 1:
        return None
    n = share * (1 - share) / se**2 + 1
    return round(n) if abs(n - round(n)) < 1e-3 else None


def _model(source: Source, content: Mapping[str, Any], config: Mapping[str, Any]) -> Model:
    """The model of ``model_args`` (text or object, ``pretrained`` anywhere in it)."""
    given = config.get("model_args")
    pairs = given if isinstance(given, dict) else dict(p.split("=", 1) for p in str(given or "").split(",") if "=" in p)
    name = pairs.get("pretrained") or pairs.get("model") or pairs.get("path") or content.get("model_name")
    if not name:
        raise source.fail("config.model_args: names no model; add pretrained=MODEL")
    revision, params = str(pairs.get("revision") or ""), config.get("model_num_parameters")
    total = params if isinstance(params, int) and params > 0 else None
    return Model(str(name), "" if revision == "main" else revision, params_total=total)
