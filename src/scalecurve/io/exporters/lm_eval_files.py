"""Results in the layout of lm-evaluation-harness 0.4, so that its viewers and scripts read them.

    <out>/<model>/results_<time>.json             one file a model
    <out>/<model>/samples_<task>_<time>.jsonl     one line an example: prompt, options, log-probabilities, metrics

A run with several ways of asking (strategy, shots, seed) has a folder for each above the models, because the harness
keeps one number of shots a task and file. The model's name is its family and rung, as two families may share a rung's
name. Log-probabilities are texts, as there. What is not known is left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from pathlib import Path
from typing import Any

from scalecurve import metrics as metrics_room
from scalecurve.errors import UserError
from scalecurve.io.conventions import safe_name
from scalecurve.store import RunDirectory, read_record, task_of
from scalecurve.store.atomic import whole_directory
from scalecurve.store.parts import CELL_FIELDS, cell_of
from scalecurve.types import Answer, Cell, Example

Json = dict[str, Any]
FILTER = "none"


@dataclass(slots=True)
class _Found:
    """What one model scored, asked in one way: task → metric → y, se, up; task → examples asked; task → hash."""

    metrics: dict[str, dict[str, Json]] = field(default_factory=dict)
    effective: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)


_Key = tuple[str, int, int, str, str]  # strategy, shots, seed, family, rung


class _Places:
    """Where each model's files go."""

    def __init__(self, folder: Path, arms: Iterable[tuple[str, int, int]], when: str) -> None:
        self.folder, self.several, self.when = folder, len(set(arms)) > 1, when

    def of(self, key: _Key) -> Path:
        strategy, shots, seed, family, rung = key
        above = f"{strategy}_{shots}shot_seed{seed}" if self.several else ""
        place = self.folder / safe_name(above) / safe_name(f"{family}/{rung}")
        place.mkdir(parents=True, exist_ok=True)
        return place

    @property
    def stamp(self) -> str:
        return safe_name(re.sub(r"[+-]\d\d:\d\d$|Z$", "", self.when).replace(":", "-"))


def write_lm_eval(run: RunDirectory, out: Path) -> list[Path]:
    """Write all models of ``run`` below ``out``, which must not exist, or be empty; the paths of the results files."""
    manifest = run.read_manifest()
    tasks = {record["ref"]: record for record in manifest["tasks"]}
    rungs = {(rung["family"], rung["name"]): rung for rung in manifest["rungs"]}
    when = manifest.get("finished") or manifest.get("created") or "1970-01-01T00:00:00+00:00"
    try:
        datetime.fromisoformat(when)
    except (TypeError, ValueError):
        raise UserError(f"{run.manifest}: finished: {when!r:.60} is no date; write it as 2026-01-31T12:00:00") from None
    with whole_directory(out) as folder:
        places, found = _found_in(run, manifest, folder, when)
        if not found:
            raise UserError(f"{run.path}: holds no score to export")
        paths = []
        for key, one in found.items():
            path = places.of(key) / f"results_{places.stamp}.json"
            content = _results(one, key, tasks, manifest, rungs[key[3:]], when)
            path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")
            paths.append(out / path.relative_to(folder))
    return paths


def task_name(ref: str) -> str:
    """The harness's own name of a task that came from it, else ours."""
    return ref.removeprefix("lm-eval:")


# ── What there is ────────────────────────────────────────────────────────────────────────────────────────────
def _found_in(run: RunDirectory, manifest: Json, folder: Path, when: str) -> tuple[_Places, dict[_Key, _Found]]:
    """The scores that came with imported results, and those of the cells, whose samples are written."""
    cells = [(cell_of(record), record) for record in manifest["cells"]]
    tasks = {record["ref"]: record for record in manifest["tasks"]}
    published = _published(run)
    arms = ((cell.strategy, cell.shots, cell.seed) for cell in (*published, *(cell for cell, _ in cells)))
    places, found = _Places(folder, arms, when), dict[_Key, _Found]()
    for cell, points in published.items():
        one = found.setdefault(_key(cell), _Found())
        one.metrics[cell.task] = {metric: {"y": y, "se": se, "up": up} for metric, (y, se, _, up) in points.items()}
        count = max(n for _, _, n, _ in points.values())
        one.effective |= {cell.task: count} if count else {}
    for cell, record in cells:
        rows = read_record(run, record)
        if not rows:
            continue
        one = found.setdefault(_key(cell), _Found())
        one.effective[cell.task] = record["examples"]
        measured, scores = _measured(tasks[cell.task], rows, published.get(cell, {}))
        one.metrics.setdefault(cell.task, {}).update(measured)
        path = places.of(_key(cell)) / f"samples_{safe_name(task_name(cell.task))}_{places.stamp}.jsonl"
        one.hashes[cell.task] = _write_samples(path, rows, scores | _published_items(run, cell))
    return places, found


def _key(cell: Cell) -> _Key:
    return cell.strategy, cell.shots, cell.seed, cell.family, cell.rung


def _published(run: RunDirectory) -> dict[Cell, dict[str, tuple[float | None, float | None, int, bool]]]:
    """Cell → metric → (value, error, items, higher is better) of imported results."""
    import polars as pl

    found: dict[Cell, dict[str, tuple[float | None, float | None, int, bool]]] = {}
    rows = pl.read_parquet(run.published_points).to_dicts() if run.published_points.exists() else []
    for row in rows:
        cell = Cell(**{name: row[name] for name in CELL_FIELDS})
        found.setdefault(cell, {})[row["metric"]] = row["y"], row["se"], row["n"], row["higher_is_better"]
    return found


def _published_items(run: RunDirectory, cell: Cell) -> dict[str, Mapping[str, float | None]]:
    """Metric → example id → value of the items of imported results."""
    import polars as pl

    if not run.published_scores.exists():
        return {}
    own = {name: getattr(cell, name) for name in CELL_FIELDS}
    rows = pl.scan_parquet(run.published_scores).filter(**own).select("metric", "example_id", "value").collect()
    found: dict[str, dict[str, float | None]] = {}
    for metric, name, value in rows.iter_rows():
        found.setdefault(metric, {})[name] = value
    return dict(found)


def _measured(
    kept: Json, rows: Sequence[tuple[Example, Answer]], published: Container[str]
) -> tuple[dict[str, Json], dict[str, Mapping[str, float | None]]]:
    """Metric → y, se, up, and metric → example id → value, of what can be computed and is not ``published``."""
    task = task_of(kept, (example for example, _ in rows))
    examples, answers = [example for example, _ in rows], [answer for _, answer in rows]
    points: dict[str, Json] = {}
    scores: dict[str, Mapping[str, float | None]] = {}
    for metric in (name for name in kept["metrics"] if name in metrics_room.METRICS and name not in published):
        definition = metrics_room.METRICS[metric]
        values = [metrics_room.score(task, example, answer, metric) for example, answer in rows]
        whole = metrics_room.aggregate(task, metric, examples, answers) if definition.corpus else None
        y, se, _ = whole or metrics_room.summary(metric, values)
        points[metric] = {"y": y, "se": se, "up": definition.higher_is_better}
        scores[metric] = dict(zip((example.id for example in examples), values, strict=True))
    return points, scores


def _write_samples(
    path: Path, rows: Sequence[tuple[Example, Answer]], scores: Mapping[str, Mapping[str, float | None]]
) -> str:
    """Write a samples file, the examples once for each filter that a metric names; the hash of what was asked."""
    filters: dict[str, dict[str, str]] = {}
    for metric in scores:
        base, _, kind = metric.partition(",")
        filters.setdefault(kind or FILTER, {})[base] = metric
    digest = hashlib.sha256()
    with path.open("w", encoding="utf-8") as file:
        for number, (kind, names) in enumerate((filters or {FILTER: {}}).items()):
            for at, (example, answer) in enumerate(rows):
                own = {base: scores[metric].get(example.id) for base, metric in names.items()}
                line = _sample(at, example, answer, own, kind)
                if not number:
                    digest.update((line["doc_hash"] + line["prompt_hash"] + line["target_hash"]).encode())
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return digest.hexdigest()


# ── The files ────────────────────────────────────────────────────────────────────────────────────────────────
def _results(found: _Found, key: _Key, tasks: Mapping[str, Json], manifest: Json, rung: Json, when: str) -> Json:
    strategy, shots, seed, family, name = key
    names = {ref: task_name(ref) for ref in found.metrics}
    size, revision = rung["params_total"], rung["revision"]
    counts = {ref: {"original": tasks[ref]["n_examples"], "effective": n} for ref, n in found.effective.items()}
    return {
        "results": {names[ref]: _row(names[ref], metrics) for ref, metrics in found.metrics.items()},
        "group_subtasks": {name: [] for name in names.values()},
        "configs": {names[ref]: _task_config(tasks[ref], names[ref], shots) for ref in names},
        "versions": {names[ref]: _version(tasks[ref]) for ref in names},
        "n-shot": dict.fromkeys(names.values(), shots),
        "higher_is_better": {
            names[ref]: {metric.partition(",")[0]: point["up"] for metric, point in metrics.items()}
            for ref, metrics in found.metrics.items()
        },
        "n-samples": {names[ref]: count for ref, count in counts.items()},
        "config": {
            "model": "scalecurve",
            "model_args": {"pretrained": rung["location"]} | ({"revision": revision} if revision else {}),
            **({"model_num_parameters": size} if size else {}),
            "fewshot_seed": seed,
        },
        "git_hash": None,
        "date": datetime.fromisoformat(when).timestamp(),
        "task_hashes": {names[ref]: digest for ref, digest in found.hashes.items()},
        "model_source": "scalecurve",
        "model_name": rung["location"],
        "model_name_sanitized": safe_name(f"{family}/{name}"),
        "scalecurve": {
            "version": manifest["scalecurve"],
            "study": manifest["study"],
            "strategy": strategy,
            **{field: rung[field] for field in ("family", "name", "params_non_embedding", "training_tokens", "step")},
        },
    }


def _row(name: str, metrics: Mapping[str, Json]) -> Json:
    row: Json = {"alias": name}
    for metric, point in metrics.items():
        base, _, kind = metric.partition(",")
        if point["y"] is not None:
            row[f"{base},{kind or FILTER}"] = point["y"]
            row[f"{base}_stderr,{kind or FILTER}"] = "N/A" if point["se"] is None else point["se"]
    return row


def _task_config(record: Json, name: str, shots: int) -> Json:
    metric_list = [{"metric": metric} for metric in record["metrics"]]
    return {"task": name, "num_fewshot": shots, "metric_list": metric_list, "metadata": {"version": _version(record)}}


def _version(record: Json) -> str:
    """What tells two wordings of a task apart: its fingerprint, or the version it was imported with."""
    return str(record["fingerprint"][:12] or record["source"])


def _sample(at: int, example: Example, answer: Answer, scores: Mapping[str, float | None], kind: str) -> Json:
    """One line of a samples file. Where it is not known whether an option is the greedy one, it says "False"."""
    doc: Json = {"id": example.id, "input": example.input, "targets": list(example.targets)}
    if example.options:
        doc |= {"options": list(example.options), "option_scores": list(example.option_scores)}
    continuations: tuple[str, ...] = ()
    if answer.option_logprobs:
        continuations = answer.options
        scored = zip(answer.option_logprobs, answer.option_greedy or repeat(False), strict=False)
        filtered: list[object] = [[_text(logprob), str(greedy)] for logprob, greedy in scored]
        raw = [[one] for one in filtered]
    elif answer.text is not None or answer.response is not None:  # some sources keep the choice alone
        filtered, raw = [answer.response or ""], [[answer.text or answer.response or ""]]
    else:
        continuations = example.targets if answer.target_logprobs else ()
        filtered = [[_text(logprob)] for logprob in answer.target_logprobs]
        raw = [[one] for one in filtered]
    asked = [{"arg_0": answer.prompt, "arg_1": text} for text in continuations] or [{"arg_0": answer.prompt}]
    known = {metric: value for metric, value in scores.items() if value is not None}
    target = example.targets[0] if example.targets else ""
    return {
        "doc_id": at,
        "doc": doc,
        "target": target,
        "arguments": {f"gen_args_{number}": arguments for number, arguments in enumerate(asked)},
        "resps": raw,
        "filtered_resps": filtered,
        "filter": kind,
        "metrics": list(known),
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(answer.prompt),
        "target_hash": _hash(target),
        **({"error": answer.error} if answer.error else {}),
        **known,
    }


def _text(number: float) -> str:
    return repr(float(number)) if math.isfinite(number) else "-inf" if number < 0 else "nan"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
