"""Inspect's logs: ``.eval`` (a ZIP of JSON: header.json, samples/<id>_epoch_<n>.json, _journal/) and its ``.json``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.choices import choice_example, gold_options
from scalecurve.io.conventions import finite, higher_is_better, words
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.io.zipped import Archive
from scalecurve.types import Answer, Example

_SPREAD = ("stderr", "bootstrap_stderr", "std", "var", "ci_lower", "ci_upper")
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # correct, incorrect, partial, no answer
_PROVIDERS = frozenset(
    "hf vllm sglang nnterp ollama llama-cpp-python openai anthropic google mistral deepseek grok groq together "
    "fireworks openrouter perplexity cloudflare bedrock azureai openai-api sambanova mockllm none "
    "hf-inference-providers".split()
)


def _role(source: SourceFile) -> Role:
    if source.path.suffix == ".eval":
        return "head"
    content = source.json
    known = isinstance(content, dict) and isinstance(content.get("eval"), dict) and "status" in content
    return "head" if known and "task" in content["eval"] else ""


@reader("inspect", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The metrics of a log and its samples; of a log that was cut short what samples it has, and a note."""
    if source.path.suffix == ".eval":
        archive = Archive(source.path)
        header = archive.json("header.json" if "header.json" in archive else "_journal/start.json")
        samples: Iterator[object] = (archive.json(name) for name in archive.names("samples/"))
    else:
        header = source.json
        samples = iter(header.get("samples") or [])
    spec = header.get("eval") if isinstance(header, dict) else None
    if not isinstance(spec, dict) or not isinstance(spec.get("task"), str) or not isinstance(spec.get("model"), str):
        raise source.fail("eval.task or eval.model is missing; give the log as Inspect wrote it")
    asked = _asked(source, spec)
    status = header.get("status", "started")
    if status != "success":
        source.notes.append(f"its status is {status!r}, not success: only the samples it holds are imported")
    results = header.get("results") if status == "success" else None
    scores = [one for one in (results or {}).get("scores") or [] if isinstance(one, dict)]
    points = list(_points(asked, scores, results or {}))
    yield from points
    yield Samples(asked, source.path, _samples(source, samples, _names(scores)))


def _asked(source: SourceFile, spec: Mapping[str, Any]) -> Evaluation:
    arguments = {**(spec.get("task_args") or {}), **(spec.get("solver_args") or {})}
    stated = next(
        (arguments[key] for key in ("fewshot", "num_fewshot", "shots") if type(arguments.get(key)) is int), None
    )
    return Evaluation(
        _model(spec),
        f"inspect:{spec['task'].rpartition('/')[2]}",
        source.shots_or_zero() if stated is None else stated,
        version=str(spec.get("task_version", "")),
    )


def _model(spec: Mapping[str, Any]) -> SourceModel:
    provider, _, name = spec["model"].partition("/")
    settings = spec.get("model_args") or {}
    path = settings.get("model_path")
    return SourceModel(str(path) if path else name if name and provider in _PROVIDERS else spec["model"])


def _points(asked: Evaluation, scores: list[dict[str, Any]], results: Mapping[str, Any]) -> Iterator[Point]:
    main = results.get("headline") or {}
    for one, label in zip(scores, _labels(scores), strict=True):
        metrics = {key: value for key, value in (one.get("metrics") or {}).items() if isinstance(value, dict)}
        se = next((finite(metrics[name].get("value")) for name in _SPREAD[:2] if name in metrics), None)
        count = one.get("scored_samples") or results.get("completed_samples")
        for at, (name, metric) in enumerate(item for item in metrics.items() if item[0] not in _SPREAD):
            yield Point(
                asked,
                f"{name}{label}",
                finite(metric.get("value")),
                se if at == 0 else None,  # it belongs to the first: accuracy or mean
                n=count if isinstance(count, int) and count else None,
                higher_is_better=higher_is_better(name),
                preferred=(one.get("name"), name) == (main.get("score"), main.get("metric")),
            )


def _labels(scores: list[dict[str, Any]]) -> list[str]:
    """What tells the scores of several scorers, or of one under several reducers, apart in a metric's name."""
    if len(scores) < 2:
        return [""] * len(scores)
    names = [str(one.get("name")) for one in scores]
    several = len(set(names)) < len(names)
    return [f",{name}" + (f",{one.get('reducer')}" if several else "") for name, one in zip(names, scores, strict=True)]


def _names(scores: list[dict[str, Any]]) -> Callable[[str, str], list[str]]:
    """(scorer, part of its value) → the metrics whose items that value may be."""
    found: dict[tuple[str, str], list[str]] = {}
    for one, label in zip(scores, _labels(scores), strict=True):
        own = [f"{name}{label}" for name in one.get("metrics") or {} if name not in _SPREAD]
        for key in ((str(one.get("scorer")), str(one.get("name"))), (str(one.get("name")), "")):
            found.setdefault(key, []).extend(own)

    def names(scorer: str, part: str) -> list[str]:
        known = found.get((scorer, part), [])
        return known or ([] if scores else [f"accuracy,{scorer}" + (f",{part}" if part else "")])

    return names


def _samples(source: SourceFile, samples: Iterator[object], names: Callable[[str, str], list[str]]) -> Iterator[Sample]:
    for sample in samples:
        if not isinstance(sample, dict) or "id" not in sample or "input" not in sample:
            raise UserError(f"{source.path}: a sample has no id or input; give the log as Inspect wrote it")
        epoch = sample.get("epoch") or 1
        name = str(sample["id"]) + (f" epoch {epoch}" if epoch != 1 else "")
        values: dict[str, float | None] = {}
        for scorer, score in (sample.get("scores") or {}).items():
            value = score.get("value") if isinstance(score, dict) else None
            parts = value if isinstance(value, dict) else {"": value}
            for part, one in parts.items():
                values |= dict.fromkeys(names(scorer, part), _value(one))
        yield Sample(*_answered(name, sample), values)


def _value(value: object) -> float | None:
    """A score as Inspect's metrics take it: letters, yes and no, and numbers also as text."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        if value.strip().lower() in ("yes", "true", "no", "false"):
            return float(value.strip().lower() in ("yes", "true"))
        try:
            return finite(float(value))
        except ValueError:
            return None
    return finite(value)


def _answered(name: str, sample: Mapping[str, Any]) -> tuple[Example, Answer]:
    kept = sample.get("attachments") or {}
    asked = _text(sample["input"], kept)
    choices = tuple(str(one) for one in sample.get("choices") or [])
    target = sample.get("target")
    targets = tuple(map(str, target)) if isinstance(target, list) else (str(target),)
    gold = gold_options(list(targets), choices, digits_are_text=True) if choices else ()
    example = choice_example(name, asked, choices, gold, targets)
    output = sample.get("output") or {}
    said = [one for one in output.get("choices") or [] if isinstance(one, dict)]
    texts = [_text((one.get("message") or {}).get("content"), kept) for one in said]
    error = sample.get("error")
    if not texts:
        why = str(error.get("message") or "failed") if isinstance(error, dict) else "no output"
        return example, Answer(name, asked, error=why.splitlines()[0] if why else "failed")
    answers = [s.get("answer") for s in (sample.get("scores") or {}).values() if isinstance(s, dict)]
    taken = next((str(one) for one in answers if one is not None), None)
    usage = output.get("usage") or {}
    counted = isinstance(usage.get("output_tokens"), int)
    return example, Answer(
        name,
        _text([one for one in sample.get("messages") or [] if one.get("role") != "assistant"], kept) or asked,
        text=texts[0],
        response=texts[0].strip() if taken is None else taken,
        samples=tuple(texts) if len(texts) > 1 else (),
        text_logprob=_logprob(said[0]),
        prompt_tokens=int(usage.get("input_tokens") or 0),
        generated_tokens=usage["output_tokens"] if counted else sum(map(words, texts)),
        flags=() if counted else ("tokens_are_words",),
    )


def _text(content: object, kept: Mapping[str, str]) -> str:
    """The text of a message's content or of messages; long texts are stored apart, under ``attachment://``."""
    if isinstance(content, str):
        return str(kept.get(content.removeprefix("attachment://"), content)) if "attachment://" in content else content
    if isinstance(content, list):
        found = [_text(one.get("content", one.get("text")), kept) if isinstance(one, dict) else "" for one in content]
        return "\n\n".join(one for one in found if one)
    return ""


def _logprob(choice: Mapping[str, Any]) -> float | None:
    tokens = (choice.get("logprobs") or {}).get("content") or []
    values = [finite(one.get("logprob")) for one in tokens if isinstance(one, dict)]
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
