"""lm-evaluation-harness: results and samples of 0.4, results and ``write_out`` files of 0.3, as Pythia published them.

0.4 writes ``<model>/results_<time>.json`` and beside it ``samples_<task>_<time>.jsonl`` (its first releases
``results.json`` and ``<model_args>_<task>.jsonl``, with ``--output_path name.json`` ``name_<time>.json``); 0.3 writes
results to any file, and answers to ``<task>_write_out_info.json``. GPT-NeoX writes 0.3's layout without a model's name.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scalecurve.io.conventions import finite, higher_is_better, missing_mark, safe_name
from scalecurve.io.families import LATEST, match, variant_of
from scalecurve.io.importers.lm_eval_samples import old_samples, samples
from scalecurve.io.shape import Evaluation, Found, Point, Role, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile

_TIME = re.compile(r"_\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(?:\.\d+)?$")
# What is put upon the weights, so that they are another model, as the harness's kinds of models call it.
_NO_METRIC = ("alias", "name", "sample_len", "sample_count", "samples")
_PROMPT_KEYS = (
    "dataset_path", "dataset_name", "test_split", "doc_to_text", "doc_to_target", "doc_to_choice", "description",
    "target_delimiter", "fewshot_delimiter", "output_type", "process_docs",
)  # fmt: skip


def _role(source: SourceFile) -> Role:
    path = source.path
    if path.suffix == ".jsonl" and (path.name.startswith("samples_") or _holds_samples(path)):
        return "part"
    if path.name.endswith("_write_out_info.json"):
        return "part"
    content = source.json
    known = isinstance(content, dict) and isinstance(content.get("results"), dict) and "versions" in content
    return "head" if known and "config_general" not in content else ""


def _holds_samples(path: Path) -> bool:
    """Whether a file of another name begins as a file of samples does."""
    try:
        with open(path, "rb") as file:
            start = file.read(1 << 18)
    except OSError:
        return False
    return b'"doc_id"' in start and b'"resps"' in start and b'"filtered_resps"' in start


@reader("lm-eval", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The points of one results file, and the samples beside it. Rows of groups are left out."""
    content = source.json
    config = content.get("config")
    if not isinstance(config, dict):
        if not source.said.model:
            raise source.fail("config: is missing, so the model is unknown; say it with --model NAME")
        config = {}
    model = _model(source, content, config)
    for task, row in content["results"].items():
        if task in (content.get("groups") or ()) or (content.get("group_subtasks") or {}).get(task):
            source.leave("groups of tasks", task)
            continue
        if not isinstance(row, dict):
            raise source.fail(f"results.{task}: must be an object of metrics")
        asked = _asked(source, content, config, model, task)
        better = (content.get("higher_is_better") or {}).get(task) or {}
        yield from _points(content, asked, task, row, better)
        rolling = ((content.get("configs") or {}).get(task) or {}).get("output_type") == "loglikelihood_rolling"
        yield from _samples(source, asked, task, row, better, rolling)


def _asked(
    source: SourceFile, content: Mapping[str, Any], config: Mapping[str, Any], model: SourceModel, task: str
) -> Evaluation:
    own = (content.get("configs") or {}).get(task)
    own = own if isinstance(own, dict) else {}
    stated = (content.get("n-shot") or {}).get(task), own.get("num_fewshot"), config.get("num_fewshot")
    shots = next((found for one in stated if (found := _whole(one)) is not None), None)
    if shots is None:
        shots = _shots_of_name(source)
    if shots is None and source.said.shots is None:
        raise source.fail(f"the number of shots of {task} is missing (n-shot, or config.num_fewshot); say --shots N")
    shots = source.said.shots or 0 if shots is None else shots
    seed = config.get("fewshot_seed")
    version = (content.get("versions") or {}).get(task)
    return Evaluation(
        model,
        f"lm-eval:{task}",
        shots,
        version="" if version is None else str(version),
        seed=seed if isinstance(seed, int) and shots else 0,
        strategy=_strategy(content, shots),
        prompts=_prompts(own),
        setting=_setting(content, config),
        group=_group_of(content, task),
    )


def _group_of(content: Mapping[str, Any], task: str) -> str:
    """The group that the file says a task is part of, with one part more at least; "" where it says none."""
    for group, parts in (content.get("group_subtasks") or {}).items():
        if isinstance(parts, list) and len(parts) > 1 and task in parts:
            return str(group)
    return ""


def _whole(value: object) -> int | None:
    """A number of shots, also where it is written as text or as a float."""
    if isinstance(value, str):
        value = value.strip().lower().removesuffix("-shot")
        return int(value) if value.isdecimal() else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value < 0:
        return None
    return int(value) if value == int(value) else None


def _shots_of_name(source: SourceFile) -> int | None:
    """The shots that a file's name states (``…-5shot-global_step51500…``), for files that hold none."""
    found = re.search(r"(?:^|[-_])0*(\d+)-?shot", source.path.name)
    return int(found[1]) if found else None


def _strategy(content: Mapping[str, object], shots: int) -> str:
    """How it was asked: as our exports say; a chat template, a system instruction, shots as turns are other prompts."""
    ours = content.get("scalecurve")
    if isinstance(ours, dict) and isinstance(ours.get("strategy"), str) and ours["strategy"]:
        return str(ours["strategy"])
    name = "published-chat" if content.get("chat_template") else "published"
    system = content.get("system_instruction")
    if isinstance(system, str) and system:
        name += f"-system-{_hash(system)[:6]}"
    return (
        f"{name}-multiturn" if shots and content.get("chat_template") and content.get("fewshot_as_multiturn") else name
    )


def _prompts(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a task's configuration says of its prompts, field by field, as hashes."""
    found = []
    for key in _PROMPT_KEYS:
        if config.get(key) is not None:
            said = json.dumps(config[key], sort_keys=True, default=str)
            found.append((key, _hash(re.sub(r" at 0x[0-9a-f]+", "", said))[:12]))
    return tuple(found)


def _setting(content: Mapping[str, object], config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What may differ between results that are set side by side, and is told where it does."""
    template = content.get("chat_template")
    system = content.get("system_instruction")
    said = {
        "version of the harness": content.get("lm_eval_version"),
        "chat template": _hash(str(template))[:8] if template else None,
        "system instruction": str(system)[:40] if system else None,
        "limit": config.get("limit"),
        "gen_kwargs": config.get("gen_kwargs"),
    }
    return tuple((name, "" if value is None else str(value)) for name, value in said.items())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _points(
    content: Mapping[str, Any], asked: Evaluation, task: str, row: Mapping[str, Any], better: Mapping[str, Any]
) -> Iterator[Point]:
    counted = (content.get("n-samples") or {}).get(task)
    stated = counted.get("effective") if isinstance(counted, dict) else None
    for key, value in row.items():
        metric, _, kind = key.partition(",")
        if metric.endswith("_stderr") or metric in _NO_METRIC or isinstance(value, (list, dict)):
            continue
        if isinstance(value, str):
            value = _read_number(value)
            if isinstance(value, str):
                continue  # a remark, no score
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
            counted=(content.get("config") or {}).get("limit") is not None,
        )


def _read_number(text: str) -> Any:
    """A score that is written as text; None for a mark of a missing one; the text where it is none."""
    if missing_mark(text):
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _samples(
    source: SourceFile,
    asked: Evaluation,
    task: str,
    row: Mapping[str, object],
    better: Mapping[str, object],
    rolling: bool,
) -> Iterator[Samples]:
    new = _samples_file(source, task)
    if new is not None:
        kinds = list(dict.fromkeys(key.partition(",")[2] for key in row if "," in key and "_stderr," not in key))
        rows = samples(new, named, rolling, kinds)
        yield Samples(asked, new, rows, {name: bool(up) for name, up in better.items()})
        return
    old = source.beside(f"{task}_write_out_info.json")
    if old is not None:
        yield Samples(asked, old, old_samples(old))


def _samples_file(source: SourceFile, task: str) -> Path | None:
    """The samples of a task that belong to a results file, by the time in both names, or as old releases named them."""
    time = _TIME.search(source.path.stem)
    ending = time[0] if time else source.path.stem.removeprefix("results")
    args = (source.json.get("config") or {}).get("model_args")
    started = re.sub(r"/|=", "__", args) if isinstance(args, str) else ""
    for name in dict.fromkeys((task, safe_name(task))):
        names = [f"samples_{name}{ending}.jsonl", f"{started}_{name}.jsonl"]
        found = next((path for one in names if (path := source.beside(one)) is not None), None)
        if found is None and time is None:
            folder, pattern = source.path.parent, glob.escape(name)
            fits = {*folder.glob(f"samples_{pattern}_20??-*.jsonl"), *folder.glob(f"samples_{pattern}.jsonl")}
            fits |= {one for one in folder.glob(f"*_{pattern}.jsonl") if _holds_samples(one)}
            found = source.use(next(iter(fits))) if len(fits) == 1 else None
        if found is not None:
            return found
    return None


def named(metric: str, kind: str) -> str:
    """A metric as a curve carries it: with its filter, unless that is ``none``."""
    return metric if kind in ("", "none") else f"{metric},{kind}"


def items(share: float, se: float | None) -> int | None:
    """The number of items behind a share and its standard error √(p(1 − p)/(n − 1)); None when no whole number fits."""
    if not se or not 0 < share < 1:
        return None
    n = share * (1 - share) / se**2 + 1
    return round(n) if abs(n - round(n)) < 1e-3 else None


def _model(source: SourceFile, content: Mapping[str, object], config: Mapping[str, Any]) -> SourceModel:
    """The model of ``model_args`` (text or object, ``pretrained`` anywhere in it), or as the user says it."""
    given = config.get("model_args")
    pairs = given if isinstance(given, dict) else dict(p.split("=", 1) for p in str(given or "").split(",") if "=" in p)
    name = pairs.get("pretrained") or pairs.get("model") or pairs.get("path") or content.get("model_name")
    name = source.said.model or name
    if not name and config.get("model") == "neox":
        return _of_neox(source)
    if not name:
        raise source.fail("config.model_args: names no model; add pretrained=MODEL, or say it with --model NAME")
    revision, params = str(pairs.get("revision") or ""), config.get("model_num_parameters")
    subfolder = str(pairs.get("subfolder") or "")
    revision = subfolder if revision in LATEST and subfolder else f"{revision}/{subfolder}".rstrip("/")
    total = params if isinstance(params, int) and params > 0 else None
    return SourceModel(str(name), "" if revision in LATEST else revision, variant=variant_of(pairs), params_total=total)


def _of_neox(source: SourceFile) -> SourceModel:
    """The model of a file that GPT-NeoX wrote, by the file's name: ``pythia-1.4b-5shot-global_step51500_eval_…``.

    The first series of Pythia (folder ``pythia-v0``) was trained anew since: it has the sizes of the second, and its
    own families.
    """
    name = re.sub(r"_*eval_results.*$", "", source.path.stem)
    step = re.search(r"[-_]?(?:global_)?step_?(\d+)_*", name)
    name = re.sub(r"[-_]\d+-?shot", "", name.replace(step[0], "") if step else name).strip("-_")
    if not re.search("[a-z]", name):
        raise source.fail("config.model_args: names no model; say it with --model NAME")
    revision = f"step{step[1]}" if step else ""
    latest = match(name, "")
    if latest is None or "pythia-v0" not in source.path.parts:
        return SourceModel(name, revision, step=int(step[1]) if step else None)
    family, rung = latest
    done = step is None or step[1] in ("143000", "71500")  # batches of 2 and of 4 million tokens
    return SourceModel(
        f"{rung.name}-v0",
        "" if done else revision,
        family=family.replace("pythia", "pythia-v0") if done else f"{rung.name}-v0-checkpoints",
        params_non_embedding=rung.params_non_embedding,
        params_total=rung.params_total,
        training_tokens=rung.training_tokens if done else None,
        step=int(step[1]) if step else None,
    )
