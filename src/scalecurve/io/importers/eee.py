"""Every Eval Ever: a JSON file an evaluation of a model, and its items in ``<uuid>_samples.jsonl`` beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.choices import choice_example, gold_options
from scalecurve.io.conventions import finite, higher_is_better, item_score
from scalecurve.io.eee import REQUIRED, SAMPLES, own
from scalecurve.io.families import unmatched_name
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.schema import AXES
from scalecurve.types import Answer, Example
from scalecurve.util.untrusted import parsed

_Z = 1.959963984540054
_SHOTS = ("num_few_shot", "num_fewshot", "n_shot", "n-shot", "shots", "few_shot", "num_shots")


def _role(source: SourceFile) -> Role:
    if source.path.name.endswith(SAMPLES):
        return "part" if _aggregate_of(source.path).is_file() else ""
    found = source.json
    return "head" if isinstance(found, dict) and set(found) >= REQUIRED else ""


def _aggregate_of(samples: Path) -> Path:
    return samples.with_name(f"{samples.name.removesuffix(SAMPLES)}.json")


@reader("eee", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The scores of every evaluation in the file, and the items that belong to them."""
    results = source.json["evaluation_results"]
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise source.fail("evaluation_results: must be a list of results")
    model = _model(source)
    better: dict[Evaluation, dict[str, bool]] = {}
    metrics: dict[str, tuple[Evaluation, str]] = {}
    named: dict[str, list[tuple[Evaluation, str]]] = {}
    ours = False
    for number, result in enumerate(results):
        asked, metric = _asked(source, model, result, number)
        point = _point(source, asked, metric, result, number)
        config = _table(result, "metric_config")
        better.setdefault(asked, {})[metric] = point.higher_is_better
        metrics[str(result.get("evaluation_result_id"))] = asked, metric
        named.setdefault(str(result["evaluation_name"]), []).append((asked, metric))
        ours = ours or bool(own(_table(config, "additional_details"), "task"))
        yield point
    path = _samples_of(source)
    if path is not None:
        source.use(path)
        for asked, directions in better.items():
            rows = _rows(path, asked, metrics, named)
            yield Samples(asked, path, rows, directions, complete=ours)


def _samples_of(source: SourceFile) -> Path | None:
    """The file of items: beside this one, under its own name or the one it states."""
    usual = source.path.with_name(f"{source.path.stem}{SAMPLES}")
    stated = _table(source.json, "detailed_evaluation_results").get("file_path")
    other = source.path.with_name(Path(str(stated)).name) if isinstance(stated, str) and stated.strip() else usual
    found = next((path for path in (usual, other) if path.is_file() and path.suffix == ".jsonl"), None)
    if found is None and stated:
        source.note(f"{source.path.name}: its items ({stated}) are not beside it; the scores come in alone")
    return found


def _table(value: object, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


# ── Aggregates ───────────────────────────────────────────────────────────────────────────────────────────────
def _model(source: SourceFile) -> SourceModel:
    info = _table(source.json, "model_info")
    details = _table(info, "additional_details")
    name = info.get("id") or info.get("name")
    if not isinstance(name, str) or not name:
        raise source.fail("model_info.id: is missing; name the model there")
    scale: dict[str, Any] = {}
    for axis in AXES:
        text = own(details, axis)
        if text:
            number = float(text)
            scale[axis] = number if axis in ("training_flops", "epoch", "loss") else int(number)
    location, rung = own(details, "location"), own(details, "rung")
    told = SourceModel(location or name, revision=own(details, "revision"), family=own(details, "family"), **scale)
    return replace(told, name=rung) if rung and unmatched_name(told) != rung else told


def _asked(source: SourceFile, model: SourceModel, result: Mapping[str, object], number: int) -> tuple[Evaluation, str]:
    name, data = result.get("evaluation_name"), _table(result, "source_data")
    where = f"evaluation_results[{number}]"
    if not isinstance(name, str) or not name:
        raise source.fail(f"{where}.evaluation_name: is missing; name what was evaluated")
    config = _table(result, "metric_config")
    told = _table(config, "additional_details")
    if own(told, "task"):
        asked = Evaluation(
            model,
            own(told, "task"),
            int(own(told, "shots") or 0),
            seed=int(own(told, "seed") or 0),
            strategy=own(told, "strategy") or "published",
        )
        return asked, own(told, "metric")
    dataset = data.get("dataset_name")
    task = name if not isinstance(dataset, str) or _plain(dataset) in ("", _plain(name)) else f"{dataset}:{name}"
    return Evaluation(model, f"eee:{task}", _shots(source, result)), _metric(config)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _metric(config: Mapping[str, Any]) -> str:
    """A metric's name: its identifier, else what it is called, else a description that is one."""
    for field in ("metric_id", "metric_name", "metric_kind", "evaluation_description"):
        value = config.get(field)
        if isinstance(value, str) and re.fullmatch(r"[\w@.,+/ -]{1,40}", value) and " - " not in value:
            return value.strip().lower().replace(" ", "_") if field != "metric_id" else value
    return "score"


def _shots(source: SourceFile, result: Mapping[str, object]) -> int:
    generation = _table(result, "generation_config")
    for table in (_table(generation, "additional_details"), _table(generation, "generation_args")):
        for name in _SHOTS:
            found = re.fullmatch(r"\s*(\d+)(?:[ -]?shots?)?\s*", str(table.get(name, "")))
            if found:
                return int(found[1])
    return source.shots_or_zero()


def _point(source: SourceFile, asked: Evaluation, metric: str, result: Mapping[str, object], number: int) -> Point:
    details, config = _table(result, "score_details"), _table(result, "metric_config")
    if "score" not in details:
        raise source.fail(f"evaluation_results[{number}].score_details.score: is missing")
    uncertainty = _table(details, "uncertainty")
    told = _table(config, "additional_details")
    low, high = finite(config.get("min_score")), finite(config.get("max_score"))
    percent = (low, high) == (0.0, 100.0) and config.get("metric_unit") in (None, "percent", "%", "percentage")
    value, se = finite(details["score"]), _error(uncertainty or details)
    if percent:
        value, se = None if value is None else value / 100, None if se is None else se / 100
    stated = own(told, "ceiling")
    ceiling = 1.0 if percent or (low, high) == (0.0, 1.0) else None
    lower = config.get("lower_is_better")
    return Point(
        asked,
        metric,
        value,
        se=se,
        n=_count(uncertainty, _table(result, "source_data")),
        higher_is_better=not lower if isinstance(lower, bool) else higher_is_better(metric),
        chance=float(own(told, "chance")) if own(told, "chance") else None,
        ceiling=float(stated) if stated else ceiling,
        preferred=bool(own(told, "preferred")),
    )


def _error(uncertainty: Mapping[str, object]) -> float | None:
    """The standard error: stated, or of an interval, whose ends some files give as distances from the score."""
    stated = uncertainty.get("standard_error")
    value = finite(stated.get("value") if isinstance(stated, dict) else stated)
    if value is not None and value >= 0:
        return value
    interval = _table(uncertainty, "confidence_interval")
    low, high = finite(interval.get("lower")), finite(interval.get("upper"))
    level = finite(interval.get("confidence_level"))
    if low is None or high is None or high <= low or level not in (None, 0.95, 95.0):
        return None
    return (high - low) / (2 * _Z)


def _count(uncertainty: Mapping[str, object], data: Mapping[str, object]) -> int | None:
    ids = data.get("sample_ids")
    for value in (
        uncertainty.get("num_samples"),
        len(ids) if isinstance(ids, list) and ids else data.get("samples_number"),
    ):
        number = finite(value)
        if number is not None and number >= 1:
            return int(number)
    return None


# ── Items ────────────────────────────────────────────────────────────────────────────────────────────────────
def _rows(
    path: Path,
    asked: Evaluation,
    metrics: Mapping[str, tuple[Evaluation, str]],
    named: Mapping[str, list[tuple[Evaluation, str]]],
) -> Iterator[Sample]:
    """The items of one evaluation; a second line of an item brings another score of the same answer."""
    seen: set[str] = set()
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = parsed(line.encode())
                found = row["evaluation_name"], str(row["sample_id"]), row["input"]["raw"], row["evaluation"]["score"]
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{path}: line {number}: {type(error).__name__}: {error}; give the file whole"
                ) from None
            name, item, raw, score = found
            one = metrics.get(str(row.get("evaluation_result_id")))
            choices = [one] if one else named.get(str(name), [])
            mine = [metric for other, metric in choices if other == asked]
            if not mine:
                continue
            told = row.get("metadata")
            scores: dict[str, float | None] = {mine[0]: item_score(score)} if len(choices) == 1 or one else {}
            if own(told, "task") == "" and own(told, "answer") == "" and not own(told, "metric") and item not in seen:
                example, answer = _foreign(row, item, str(raw))
            elif own(told, "answer"):
                example, answer = _restored(Example, own(told, "example")), _restored(Answer, own(told, "answer"))
                scores = (scores if own(told, "metric") else {}) | dict.fromkeys(
                    json.loads(own(told, "unscored") or "[]")
                )
            else:
                example, answer = Example(item, ""), Answer(item, "")
            yield Sample(example, answer, scores, again=item in seen)
            seen.add(item)


def _foreign(row: Mapping[str, Any], item: str, raw: str) -> tuple[Example, Answer]:
    """A question and its answer as other tools write them."""
    asked, output, usage = row["input"], _table(row, "output"), _table(row, "token_usage")
    reference = asked.get("reference") or []
    targets = tuple(map(str, reference if isinstance(reference, list) else [reference]))
    options = tuple(map(str, asked.get("choices") or ()))
    said = output.get("raw") or ()
    texts = tuple(map(str, said if isinstance(said, list) else [said]))
    if not texts:
        spoken = [one for one in row.get("messages") or () if isinstance(one, dict) and one.get("role") == "assistant"]
        texts = tuple(str(one.get("content") or "") for one in spoken[-1:])
    gold = gold_options(list(targets), options) if options and targets else ()
    extracted = [one for one in row.get("answer_attribution") or () if isinstance(one, dict)]
    response = next((str(one["extracted_value"]) for one in extracted[::-1] if one.get("extracted_value")), None)
    answer = Answer(
        item,
        str(asked.get("formatted") or raw),
        text=texts[0] if texts else None,
        response=response,
        prompt_tokens=int(finite(usage.get("input_tokens")) or 0),
        generated_tokens=int(finite(usage.get("output_tokens")) or 0),
        error=str(row.get("error") or ""),
    )
    return choice_example(item, raw, options, gold, targets), answer


def _restored(kind: Any, text: str) -> Any:
    """An example or answer from its JSON."""
    given = json.loads(text)
    numbers = ("option_logprobs", "target_logprobs", "option_scores")
    values = {}
    for field in fields(kind):
        value = given.get(field.name)
        if isinstance(value, list):
            value = tuple(float(one) if field.name in numbers else one for one in value)
        if field.name == "text_logprob" and value is not None:
            value = float(value)
        if field.name in given:
            values[field.name] = value
    return kind(**values)
