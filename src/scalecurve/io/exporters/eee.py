"""A run in the layout of Every Eval Ever: a JSON file an evaluation of a model, its items beside it (``io.eee``)."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from scalecurve.errors import UserError
from scalecurve.io.eee import SAMPLES, SCHEMA, owned
from scalecurve.schema import AXES
from scalecurve.store import RunDirectory, read_table
from scalecurve.store.atomic import whole_directory
from scalecurve.store.parts import CELL_FIELDS, cell_of, read_record
from scalecurve.types import Answer, Cell, Example

Json = dict[str, Any]
_PORTABLE = re.compile(r"[^A-Za-z0-9._-]+")


def write_eee(run: RunDirectory, out: Path) -> list[Path]:
    """Write every evaluation of ``run`` below ``out``, which must not exist, or be empty; the aggregate files."""
    manifest = run.read_manifest()
    when = _time(run, manifest)
    rungs = {(rung["family"], rung["name"]): rung for rung in manifest["rungs"]}
    tasks = {record["ref"]: record for record in manifest["tasks"]}
    answered = {cell_of(record): record for record in manifest["cells"]}
    points = _points(run)
    if not points:
        raise UserError(f"{run.path}: holds no score to export")
    paths = []
    with whole_directory(out) as folder:
        for cell, scores in points.items():
            rung, task = rungs[cell.family, cell.rung], tasks[cell.task]
            model = _model(rung, cell.family)
            place = Path("data", *map(_portable, (task["name"], *model["id"].split("/"))))
            name = str(UUID(bytes=hashlib.sha256(f"{when} {cell.key}".encode()).digest()[:16], version=4))
            evaluation = f"{task['name']}/{model['id']}/{when}#{cell.strategy}-{cell.shots}-{cell.seed}"
            (folder / place).mkdir(parents=True, exist_ok=True)
            content: Json = {
                "schema_version": SCHEMA,
                "evaluation_id": evaluation,
                "evaluation_timestamp": when,
                "retrieved_timestamp": when,
                "source_metadata": {
                    "source_name": "scalecurve",
                    "source_type": "evaluation_run",
                    "source_organization_name": "unknown",
                    "evaluator_relationship": "other",
                },
                "eval_library": {"name": "scalecurve", "version": str(manifest["scalecurve"])},
                "model_info": model,
                "evaluation_results": [_result(cell, point, task, evaluation) for point in scores],
            }
            rows = read_record(run, answered[cell]) if cell in answered else []
            lines = list(_samples(rows, _items(run, cell), evaluation, model["id"], task["name"]))
            if lines:
                text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
                (folder / place / f"{name}{SAMPLES}").write_text(text, encoding="utf-8")
                content["detailed_evaluation_results"] = {
                    "format": "jsonl",
                    "file_path": (place / f"{name}{SAMPLES}").as_posix(),
                    "hash_algorithm": "sha256",
                    "checksum": hashlib.sha256(text.encode()).hexdigest(),
                    "total_rows": len(lines),
                }
            path = folder / place / f"{name}.json"
            path.write_text(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False), encoding="utf-8")
            paths.append(out / place / path.name)
    return paths


def _time(run: RunDirectory, manifest: Json) -> str:
    when = manifest.get("finished") or manifest.get("created") or "1970-01-01T00:00:00+00:00"
    try:
        return f"{datetime.fromisoformat(when).timestamp():.0f}"
    except (TypeError, ValueError):
        raise UserError(f"{run.manifest}: finished: {when!r:.60} is no date; write it as 2026-01-31T12:00:00") from None


def _portable(name: str) -> str:
    """A name that is one part of a path on every system."""
    text = _PORTABLE.sub("_", name).strip("._") or "unknown"
    return f"{text}_" if text == "data" else text


# ── Aggregates ───────────────────────────────────────────────────────────────────────────────────────────────
def _points(run: RunDirectory) -> dict[Cell, list[Json]]:
    """Cell → its scores: those published, a seed each, and the curves of the rest."""
    import polars as pl

    found: dict[Cell, list[Json]] = {}
    curves = read_table(run.curves).filter(pl.col("y").is_not_null())
    preferred = {(row["task"], row["metric"]) for row in curves.to_dicts() if row["preferred"]}
    stated = read_table(run.published_points).to_dicts() if run.published_points.exists() else []
    for row in stated:
        if row["y"] is not None:
            own = Cell(**{name: row[name] for name in CELL_FIELDS})
            found.setdefault(own, []).append(row | {"preferred": (row["task"], row["metric"]) in preferred})
    known = {
        (c.family, c.rung, c.task, c.strategy, c.shots, point["metric"]) for c, own in found.items() for point in own
    }
    seeds = {
        (c["family"], c["rung"], c["task"], c["strategy"], c["shots"]): c["seed"] for c in run.read_manifest()["cells"]
    }
    for row in curves.to_dicts():
        key = tuple(row[name] for name in ("family", "rung", "task", "strategy", "shots"))
        if (*key, row["metric"]) not in known and key in seeds and math.isfinite(row["y"]):
            found.setdefault(Cell(*key, seeds[key]), []).append(row)
    return found


def _model(rung: Json, family: str) -> Json:
    location = str(rung["location"] or rung["name"])
    hub = location if re.fullmatch(r"[\w.-]+/[\w.-]+", location) else f"unknown/{rung['name']}"
    return {
        "name": rung["name"],
        "id": hub,
        "developer": hub.partition("/")[0],
        "additional_details": {
            "deployment_type": "self_deployed" if rung["backend"] != "published" else "unknown",
            "model_availability": "unknown",
            **owned(family=family, rung=rung["name"], location=location, revision=rung["revision"] or None),
            **owned(**{axis: rung.get(axis) for axis in AXES}),
        },
    }


def _result(cell: Cell, point: Json, task: Json, evaluation: str) -> Json:
    share = point["ceiling"] == 1.0
    n, se = point["n"] or None, point["se"]
    uncertainty: Json = {"standard_error": {"value": se}} if se is not None and math.isfinite(se) else {}
    told = owned(
        task=cell.task,
        strategy=cell.strategy,
        shots=cell.shots,
        seed=cell.seed,
        metric=point["metric"],
        chance=point["chance"],
        ceiling=point["ceiling"],
        preferred=bool(point["preferred"]) or None,
    )
    return {
        "evaluation_result_id": f"{evaluation}#{point['metric']}",
        "evaluation_name": task["name"],
        "source_data": {"dataset_name": task["name"], "source_type": "other"},
        "metric_config": {
            "evaluation_description": point["metric"],
            "metric_id": point["metric"],
            "metric_name": point["metric"],
            "lower_is_better": not point["higher_is_better"],
            **(
                {"metric_unit": "proportion", "score_type": "continuous", "min_score": 0.0, "max_score": 1.0}
                if share
                else {}
            ),
            "additional_details": told,
        },
        "score_details": {
            "score": point["y"],
            **({"uncertainty": uncertainty | ({"num_samples": n} if n else {})} if uncertainty or n else {}),
        },
        "generation_config": {"additional_details": {"num_few_shot": str(cell.shots), "strategy": cell.strategy}},
    }


# ── Items ────────────────────────────────────────────────────────────────────────────────────────────────────
def _items(run: RunDirectory, cell: Cell) -> dict[str, dict[str, float | None]]:
    """Example id → metric → value, None where there is none."""
    import polars as pl

    if not run.scores.exists():  # published totals alone
        return {}
    mine = {name: getattr(cell, name) for name in CELL_FIELDS}
    frame = pl.scan_parquet(run.scores).filter(**mine).select("example_id", "metric", "value").collect()
    found: dict[str, dict[str, float | None]] = {}
    for name, metric, value in frame.iter_rows():
        found.setdefault(name, {})[metric] = value if value is not None and math.isfinite(value) else None
    return found


def _samples(
    rows: Sequence[tuple[Example, Answer]],
    items: Mapping[str, Mapping[str, float | None]],
    evaluation: str,
    model: str,
    name: str,
) -> Iterator[Json]:
    """A line an item and score. One without any has the 0 that the schema demands, and an error that says so."""
    answers = {example.id: (example, answer) for example, answer in rows}
    for at in dict.fromkeys([*answers, *items]):
        example, answer = answers.get(at, (Example(at, ""), None))
        every = items.get(at, {})
        scores = {metric: value for metric, value in every.items() if value is not None}
        lacking = [metric for metric in every if metric not in scores]
        problem = "" if answer is None else answer.error
        problem = problem or ("" if scores else "there is no score of this item")
        for number, metric in enumerate(scores or {"": 0.0}):
            value = scores.get(metric, 0.0)
            told: dict[str, str] = owned(metric=metric or None)
            if not number and answer is not None:
                told |= owned(example=_text(example), answer=_text(answer), unscored=json.dumps(lacking))
            yield {
                "schema_version": SCHEMA,
                "evaluation_id": evaluation,
                "model_id": model,
                "evaluation_name": name,
                **({"evaluation_result_id": f"{evaluation}#{metric}"} if metric else {}),
                "sample_id": at,
                "sample_hash": hashlib.sha256(_whole(example.input + "".join(example.targets)).encode()).hexdigest(),
                "interaction_type": "single_turn",
                "input": {
                    "raw": _whole(example.input),
                    "formatted": None if answer is None else _whole(answer.prompt),
                    "reference": list(map(_whole, example.targets)),
                    "choices": list(map(_whole, example.options)) or None,
                },
                "output": {"raw": [] if answer is None else list(map(_whole, _said(answer)))},
                "answer_attribution": _attribution(answer),
                "evaluation": {"score": value, "is_correct": value >= 0.5},
                **({"error": problem} if problem else {}),
                **({"token_usage": _tokens(answer)} if answer is not None else {}),
                "metadata": told,
            }


def _said(answer: Answer) -> list[str]:
    if answer.text is not None:
        return list(answer.samples) or [answer.text]
    if answer.option_logprobs and len(answer.option_logprobs) == len(answer.options):
        return [answer.options[max(range(len(answer.options)), key=answer.option_logprobs.__getitem__)]]
    return []


def _attribution(answer: Answer | None) -> list[Json]:
    if answer is None or answer.response is None:
        return []
    return [
        {
            "turn_idx": 0,
            "source": "output.raw",
            "extracted_value": _whole(answer.response),
            "extraction_method": "custom",
            "is_terminal": True,
        }
    ]


def _tokens(answer: Answer) -> Json:
    return {
        "input_tokens": answer.prompt_tokens,
        "output_tokens": answer.generated_tokens,
        "total_tokens": answer.prompt_tokens + answer.generated_tokens,
    }


def _text(value: Example | Answer) -> str:
    """All fields as JSON; numbers that are none as texts, which ``float`` reads."""
    from dataclasses import asdict

    return json.dumps(_plain(asdict(value)), ensure_ascii=True)


def _plain(value: object) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
