"""HELM: a run's folder with run_spec.json, stats.json, per_instance_stats.json and scenario_state.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.choices import choice_example
from scalecurve.io.conventions import finite, higher_is_better, item_score, words
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.io.stream import json_members
from scalecurve.types import Answer, Example

_FILES = ("run_spec.json", "stats.json", "per_instance_stats.json", "scenario_state.json", "scenario.json")
_ALSO = ("instances.json", "display_predictions.json", "display_requests.json")
_NO_SCORE = (
    "num_", "inference_", "training_", "finish_reason", "batch_size", "logprob", "max_prob", "prompt_truncated",
    "estimated_", "predicted_index",
)  # fmt: skip
_LOWER = ("ece", "platt_ece", "perplexity", "bits_per_byte", "toxic", "edit_distance")
_NOT_PROMPT = ("model", "model_deployment", "max_eval_instances", "eval_splits", "num_train_trials", "num_trials")
_NOT_TASK = ("model", "model_deployment", "max_eval_instances", "num_train_trials", "data_augmentation", "stop")


def _role(source: SourceFile) -> Role:
    name, folder = source.path.name, source.path.parent
    if name == "run_spec.json":
        return "head"
    return "part" if name in (*_FILES, *_ALSO) and (folder / "run_spec.json").is_file() else ""


@reader("helm", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The quality metrics of a run, unperturbed, on its test split (else the validation split), and its instances."""
    spec = source.json
    adapter = spec.get("adapter_spec") if isinstance(spec, dict) else None
    name = spec.get("name") if isinstance(spec, dict) else None
    if not isinstance(adapter, dict) or not isinstance(name, str) or not isinstance(adapter.get("model"), str):
        raise source.fail("name or adapter_spec.model is missing; give the folder as HELM wrote it")
    stats = source.beside("stats.json")
    if stats is None:
        raise source.fail("stats.json is not beside it; the run did not finish, run it again")
    asked = _asked(adapter, name, source)
    listed = [stat for _, stat in json_members(stats) if _is_plain(stat, stats)]
    split = next((one for one in ("test", "valid") if any(s["name"].get("split") == one for s in listed)), None)
    values = {stat["name"]["name"]: stat.get("mean") for stat in listed if stat["name"].get("split") == split}
    count = finite(values.get("num_instances"))
    for metric, value in values.items():
        if _is_score(metric):
            yield Point(
                asked, metric, finite(value), n=None if count is None else int(count), higher_is_better=_up(metric)
            )
    per_instance = source.beside("per_instance_stats.json")
    state = source.beside("scenario_state.json")
    if per_instance is not None or state is not None:
        scores = {} if per_instance is None else _instance_scores(per_instance)
        rows = _samples(state, scores) if state is not None else _bare(scores)
        yield Samples(asked, state or per_instance or source.path, rows, {metric: _up(metric) for metric in values})


def _asked(adapter: Mapping[str, Any], name: str, source: SourceFile) -> Evaluation:
    scenario, _, arguments = name.partition(":")
    kept = [one for one in arguments.split(",") if one and one.partition("=")[0] not in _NOT_TASK]
    shots = adapter.get("max_train_instances", source.said.shots)
    if not isinstance(shots, int):
        raise source.fail("adapter_spec.max_train_instances: is missing, so the number of shots is unknown")
    said = json.dumps({key: value for key, value in adapter.items() if key not in _NOT_PROMPT}, sort_keys=True)
    return Evaluation(
        SourceModel(adapter["model"]),
        "helm:" + ":".join([scenario, *([",".join(kept)] if kept else [])]),
        shots,
        version=f"prompts {hashlib.sha256(said.encode()).hexdigest()[:8]}",
    )


def _is_plain(stat: object, path: Path) -> bool:
    """Whether a statistic is of unperturbed instances and of a whole split."""
    name = stat.get("name") if isinstance(stat, dict) else None
    if not isinstance(name, dict) or not isinstance(name.get("name"), str):
        raise UserError(f"{path}: name.name: is missing of a statistic; give the file as HELM wrote it")
    return not name.get("perturbation") and not name.get("sub_split")


def _is_score(metric: str) -> bool:
    return not metric.startswith(_NO_SCORE) or metric == "logprob_per_byte"


def _up(metric: str) -> bool:
    return higher_is_better(metric) and not metric.startswith(_LOWER)


def _instance_scores(path: Path) -> dict[str, dict[str, float | None]]:
    """Example id → its unperturbed scores."""
    found: dict[str, dict[str, float | None]] = {}
    for number, one in json_members(path):
        if not isinstance(one, dict) or "instance_id" not in one:
            raise UserError(f"{path}: [{number}].instance_id: is missing; give the file as HELM wrote it")
        if one.get("perturbation"):
            continue
        stats = [stat for stat in one.get("stats") or [] if _is_plain(stat, path)]
        own = {s["name"]["name"]: item_score(s.get("mean")) for s in stats if _is_score(s["name"]["name"])}
        found.setdefault(_id(one["instance_id"], one), {}).update(own)
    return found


def _id(instance: Any, record: Mapping[str, object]) -> str:
    trial = record.get("train_trial_index") or 0
    return f"{instance} trial {trial}" if trial else str(instance)


def _bare(scores: Mapping[str, Mapping[str, float | None]]) -> Iterator[Sample]:
    for name, own in scores.items():
        yield Sample(Example(name, ""), Answer(name, ""), own)


def _samples(path: Path, scores: Mapping[str, Mapping[str, float | None]]) -> Iterator[Sample]:
    """One sample an instance and trial; of requests for single references only the first is kept."""
    seen: set[str] = set()
    for number, state in json_members(path, "request_states"):
        instance = state.get("instance") if isinstance(state, dict) else None
        if not isinstance(instance, dict) or not isinstance(state.get("request"), dict):
            raise UserError(f"{path}: request_states[{number}].instance: is missing; give the file as HELM wrote it")
        name = _id(instance.get("id", number), state)
        single = state.get("reference_index") is not None
        if instance.get("perturbation") or state.get("request_mode") == "calibration" or (single and name in seen):
            continue
        seen.add(name)
        yield Sample(*_answered(name, state, instance, single), scores.get(name, {}))


def _answered(name: str, state: Mapping[str, Any], instance: Mapping[str, Any], single: bool) -> tuple[Example, Answer]:
    text = str((instance.get("input") or {}).get("text") or "")
    references = [one for one in instance.get("references") or [] if isinstance(one, dict)]
    said = [str((one.get("output") or {}).get("text") or "") for one in references]
    right = [at for at, one in enumerate(references) if "correct" in (one.get("tags") or [])]
    mapping = state.get("output_mapping") or {}
    several = len(said) > 1 and len(right) < len(said) and (single or bool(mapping))
    example = choice_example(name, text, said, right if several else (), [said[at] for at in right])
    result = state.get("result") or {}
    completions = [one for one in result.get("completions") or [] if isinstance(one, dict)]
    prompt = str(state["request"].get("prompt") or "")
    if single or not completions:
        error = "" if result.get("success", True) else str(result.get("error") or "the request failed")
        return example, Answer(name, prompt, error=error)
    texts = [str(one.get("text") or "") for one in completions]
    tokens = [len(one.get("tokens") or []) for one in completions]
    counted = all(tokens)
    return example, Answer(
        name,
        prompt,
        text=texts[0],
        response=str(mapping.get(texts[0].strip(), texts[0].strip())),
        samples=tuple(texts) if len(texts) > 1 else (),
        text_logprob=finite(completions[0].get("logprob")) if counted else None,
        generated_tokens=sum(tokens) if counted else sum(map(words, texts)),
        flags=() if counted else ("tokens_are_words",),
    )
