"""OLMES and olmo-eval.

OLMES writes ``task-000-<task>-metrics.json``, ``…-predictions.jsonl`` and ``…-requests.jsonl`` side by side; olmo-eval
1 writes one ``metrics.json`` and ``predictions/<model>/<task>_<hash>-predictions.jsonl``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.choices import (
    choice_example,
    gold_options,
    log_probability,
    prompt_and_options,
    question_of,
    truth,
)
from scalecurve.io.conventions import finite, higher_is_better, item_score, words
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.io.stream import json_lines
from scalecurve.types import Answer, Example

_PARTS = ("-predictions.jsonl", "-requests.jsonl", "-recorded-inputs.jsonl", "metrics-all.jsonl")


def _role(source: SourceFile) -> Role:
    name = source.path.name
    if name.endswith(_PARTS):
        return "part"
    content = source.json if name.endswith("metrics.json") else None
    if not isinstance(content, dict):
        return ""
    if isinstance(content.get("metrics"), dict) and isinstance(content.get("model_config"), dict):
        return "head"
    if isinstance(content.get("tasks"), dict) and "model_path" in content:
        return "head"
    if isinstance(content.get("tasks"), list) and "all_primary_scores" in content:
        return "part" if any(source.path.parent.glob("*-metrics.json")) else "head"
    return ""


@reader("olmes", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The points of a metrics file, and the predictions that belong to it."""
    content = source.json
    if isinstance(content.get("tasks"), dict):
        yield from _olmo_eval(source, content)
    else:
        for record in content.get("tasks", [content]):
            yield from _olmes(source, record)


# ── OLMES ────────────────────────────────────────────────────────────────────────────────────────────────────
def _olmes(source: SourceFile, record: Any) -> Iterator[Found]:
    config = record.get("task_config") if isinstance(record, dict) else None
    model = record.get("model_config") if isinstance(record, dict) else None
    if not isinstance(config, dict) or not isinstance(model, dict) or not isinstance(record.get("metrics"), dict):
        raise source.fail("task_config, model_config or metrics is missing; give the file as OLMES wrote it")
    name = model.get("model") or model.get("model_path")
    if not isinstance(name, str):
        raise source.fail("model_config.model: is missing, so the model is unknown")
    alias = (config.get("metadata") or {}).get("alias") or record.get("task_name") or config.get("task_name")
    shots = config.get("num_shots", source.said.shots)
    if not isinstance(shots, int):
        raise source.fail("task_config.num_shots: is missing, so the number of shots is unknown")
    asked = Evaluation(
        SourceModel(name, str(model.get("revision") or "")),
        f"olmes:{alias}",
        shots,
        version=" ".join(str(one) for one in (config.get("version", ""), str(record.get("task_hash", ""))[:8]) if one),
    )
    metrics, main, count = record["metrics"], config.get("primary_metric"), record.get("num_instances")
    main = main if main in metrics else "primary_score"
    for metric, value in metrics.items():
        if isinstance(value, (str, list, dict)) or (metric == "primary_score" != main):
            continue
        yield Point(
            asked,
            metric,
            item_score(value),
            n=count if isinstance(count, int) else None,
            higher_is_better=_up(metric),
            preferred=metric == main,
        )
    stem = source.path.name.removesuffix("metrics.json")
    predictions = source.beside(f"{stem}predictions.jsonl") if stem else None
    if predictions is not None:
        yield Samples(asked, predictions, _samples(predictions, source.beside(f"{stem}requests.jsonl"), _flat))


def _up(metric: str) -> bool:
    return higher_is_better(metric) and not re.match(r"ppl|bits_per_byte|no_answer|bpb|.*perplexity", metric)


def _flat(line: Mapping[str, object]) -> dict[str, float | None]:
    own = line.get("metrics")
    return {
        key: item_score(value)
        for key, value in (own if isinstance(own, dict) else {}).items()
        if not isinstance(value, (str, list, dict)) and not key.startswith("predicted_index")
    }


# ── olmo-eval ────────────────────────────────────────────────────────────────────────────────────────────────
def _olmo_eval(source: SourceFile, content: Mapping[str, Any]) -> Iterator[Found]:
    settings = content.get("model_config") or {}
    model = SourceModel(str(content["model_path"]), str(settings.get("revision") or ""))
    for spec, record in content["tasks"].items():
        if not isinstance(record, dict) or record.get("error"):
            source.notes.append(f"tasks.{spec}: failed and was left out ({(record or {}).get('error')})")
            continue
        config = record.get("config") or {}
        stated = next((config[key] for key in ("num_fewshot", "num_shots") if isinstance(config.get(key), int)), None)
        asked = Evaluation(model, f"olmes:{spec}", source.shots_or_zero() if stated is None else stated)
        values = _nested(record.get("metrics"))
        main = str(record.get("primary_metric") or "")
        count = record.get("num_instances")
        for metric, value in values.items():
            preferred = main in (metric.replace(",", ":", 1), metric, f"{metric}:{metric}")
            yield Point(asked, metric, value, n=count if isinstance(count, int) else None,
                        higher_is_better=_up(metric), preferred=preferred)  # fmt: skip
        predictions = _predictions(source, spec)
        if predictions is not None:
            requests = _sibling(predictions)
            rows = _samples(predictions, None if requests is None else source.use(requests), _instance)
            yield Samples(asked, source.use(predictions), rows)


def _nested(metrics: object) -> dict[str, float | None]:
    """{metric: {scorer: value}} flattened: ``metric,scorer``, or ``metric`` where both have one name."""
    found: dict[str, float | None] = {}
    for metric, row in (metrics if isinstance(metrics, dict) else {}).items():
        for scorer, value in row.items() if isinstance(row, dict) else [(metric, row)]:
            if not isinstance(value, (str, list, dict)):
                found[metric if scorer == metric else f"{metric},{scorer}"] = item_score(value)
    return found


def _instance(line: Mapping[str, object]) -> dict[str, float | None]:
    return _nested(line.get("instance_metrics"))


def _predictions(source: SourceFile, spec: str) -> Path | None:
    wanted = re.sub(r"\W+", "_", spec)
    for path in sorted((source.path.parent / "predictions").rglob("*-predictions.jsonl")):
        stem = re.sub(r"_[0-9a-f]{6}$", "", path.name.removesuffix("-predictions.jsonl"))
        if re.sub(r"\W+", "_", stem) == wanted:
            return path
    return None


def _sibling(predictions: Path) -> Path | None:
    """requests/<model>/<task>-requests.jsonl of predictions/<model>/<task>-predictions.jsonl."""
    name = predictions.name.replace("-predictions.jsonl", "-requests.jsonl")
    path = predictions.parent.parent.parent / "requests" / predictions.parent.name / name
    return path if path.is_file() else None


# ── Both ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _samples(path: Path, requests: Path | None, scores: Any) -> Iterator[Sample]:
    """The lines of a predictions file, with the prompts of the requests file where its documents come in order."""
    asked = _requests(requests) if requests is not None else iter(())
    held = next(asked, None)
    for number, line in json_lines(path):
        said = line.get("model_output")
        if not isinstance(said, list) or "doc_id" not in line:
            raise UserError(
                f"{path}: line {number}: doc_id or model_output is missing; give the file as it was written"
            )
        mine = []
        if held is not None and held[0] == line["doc_id"]:
            mine, held = held[1], next(asked, None)
        native = line.get("native_id")
        name = str(line["doc_id"])
        same = "" if native is None else str(native)
        yield Sample(*_answered(name, line, [one for one in said if isinstance(one, dict)], mine), scores(line), same)


def _requests(path: Path) -> Iterator[tuple[object, list[dict[str, object]]]]:
    lines = (line for _, line in json_lines(path))
    for doc, group in groupby(lines, key=lambda line: line.get("doc_id")):
        yield doc, list(group)


def _answered(
    name: str, line: Mapping[str, object], said: list[dict[str, Any]], requests: list[dict[str, Any]]
) -> tuple[Example, Answer]:
    doc = requests[0].get("doc") if requests else None
    pairs = _pairs(requests)
    prompt = pairs[0][0] if pairs else ""
    label = line.get("label")
    scored = [one for one in said if one.get("sum_logits") is not None and "continuation" not in one]
    if said and len(scored) == len(said) and len(said) > 1:
        shared, options = prompt_and_options(pairs) if len(pairs) == len(said) else (prompt, ("",) * len(said))
        gold = gold_options(_gold(line, label), options)
        return choice_example(name, question_of(doc, shared), options, gold), Answer(
            name,
            shared,
            options=options,
            option_logprobs=tuple(log_probability(one["sum_logits"]) for one in said),
            option_tokens=tuple(int(one.get("num_tokens") or 0) for one in said),
            option_greedy=tuple(truth(one.get("is_greedy")) for one in said),
        )
    example = Example(name, question_of(doc, prompt), targets=_targets(label))
    texts = [str(one.get("continuation", one.get("text")) or "") for one in said]
    if not any(texts):
        return example, Answer(
            name, prompt, target_logprobs=tuple(log_probability(one["sum_logits"]) for one in scored)
        )
    taken = said[0].get("model_answer", said[0].get("extracted_answer"))
    stated = (one.get("num_tokens", one.get("completion_tokens")) for one in said)
    tokens = [one for one in stated if isinstance(one, int)]
    counted = len(tokens) == len(said)
    return example, Answer(
        name,
        prompt,
        text=texts[0],
        response=None if taken is None else str(taken),
        samples=tuple(texts) if len(texts) > 1 else (),
        text_logprob=finite(said[0].get("sum_logits")),
        generated_tokens=sum(tokens) if counted else sum(map(words, texts)),
        flags=() if counted else ("tokens_are_words",),
    )


def _gold(line: Mapping[str, object], label: object) -> Any:
    own = line.get("metrics")
    stated = own.get("correct_choice") if isinstance(own, dict) else None
    return stated if isinstance(stated, int) else label


def _targets(label: object) -> tuple[str, ...]:
    if label is None:
        return ()
    return tuple(map(str, label)) if isinstance(label, list) else (str(label),)


def _pairs(requests: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(context, continuation) of each request; one request may list several continuations."""
    found: list[tuple[str, str]] = []
    for one in requests:
        request = one.get("request")
        if not isinstance(request, dict):
            continue
        context = request.get("context")
        if isinstance(context, list):
            context = "\n\n".join(str(turn.get("content", "")) for turn in context if isinstance(turn, dict))
        if isinstance(context, dict):
            context = "\n\n".join(str(turn.get("content", "")) for turn in context.get("messages", []))
        several = request.get("continuations")
        for rest in several if isinstance(several, list) else [request.get("continuation") or ""]:
            found.append((str(context or ""), str(rest)))
    return found
