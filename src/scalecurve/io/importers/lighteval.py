"""lighteval: ``results/<model>/results_<time>.json`` and ``details/<model>/<time>/details_<task>_<time>.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.choices import choice_example, log_probability
from scalecurve.io.conventions import finite, higher_is_better, item_score
from scalecurve.io.families import LATEST, parse_revision
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.types import Answer, Example

_BATCH = 256


def _role(source: SourceFile) -> Role:
    if source.path.suffix == ".parquet":
        return "part" if source.path.name.startswith("details_") else ""
    content = source.json
    known = isinstance(content, dict) and isinstance(content.get("results"), dict)
    return "head" if known and isinstance(content.get("config_general"), dict) else ""


@reader("lighteval", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """The points of one results file and the details of the same time. Averages over tasks are left out."""
    content = source.json
    model = _model(source, content["config_general"])
    details = _details(source)
    for key, row in content["results"].items():
        if key == "all" or ":_average|" in key or key.endswith("_average"):
            source.leave("averages over tasks", key)
            continue
        if not isinstance(row, dict):
            raise source.fail(f"results.{key}: must be an object of metrics")
        config = (content.get("config_tasks") or {}).get(key) or {}
        task, shots = _task(source, key, config)
        asked = Evaluation(model, f"lighteval:{task}", shots, version=str((content.get("versions") or {}).get(key, "")))
        better = _better(config)
        counted = config.get("effective_num_docs")
        for metric, value in row.items():
            if metric.endswith("_stderr") or isinstance(value, (str, list, dict)):
                continue
            yield Point(
                asked,
                metric,
                finite(value),
                finite(row.get(f"{metric}_stderr")),
                n=counted if isinstance(counted, int) and counted > 0 else None,
                higher_is_better=better.get(metric, higher_is_better(metric)),
            )
        if key in details:
            yield Samples(asked, source.use(details[key]), _samples(details[key]), better)


def _model(source: SourceFile, config: Mapping[str, Any]) -> SourceModel:
    stated = config.get("model_config")
    inside = stated if isinstance(stated, dict) else {}
    name = config.get("model_name") or inside.get("model_name")
    if not isinstance(name, str) or not name:
        raise source.fail("config_general.model_name: is missing, so the model is unknown")
    revision = str(inside.get("revision") or config.get("model_sha") or "")
    stated = revision if parse_revision(revision)[0] is not None or not re.fullmatch("[0-9a-f]{40}", revision) else ""
    return SourceModel(name, "" if stated in LATEST else stated)


def _task(source: SourceFile, key: str, config: Mapping[str, Any]) -> tuple[str, int]:
    """(task, shots) of a key: ``task|shots``, or ``suite|task|shots|truncation`` in files before 0.12."""
    parts = key.split("|")
    name, shots = (parts[1], parts[2]) if len(parts) > 2 else (parts[0], parts[-1])
    if shots.isdecimal() and len(parts) > 1:
        return name, int(shots)
    stated = config.get("num_fewshots", source.said.shots)
    if not isinstance(stated, int):
        raise source.fail(f"results.{key}: does not say the number of shots (task|shots)")
    return key, stated


def _better(config: Mapping[str, Any]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for metric in config.get("metrics") or []:
        if not isinstance(metric, dict):
            continue
        name, up = metric.get("metric_name"), metric.get("higher_is_better")
        if isinstance(up, dict):
            found |= {key: bool(value) for key, value in up.items()}
        elif isinstance(name, str) and isinstance(up, bool):
            found[name] = up
    return found


def _details(source: SourceFile) -> dict[str, Path]:
    """Task key → its details of the same time, below a folder ``details`` beside or above the results."""
    time = source.path.stem.removeprefix("results_")
    for folder in source.path.parents[:6]:
        if (folder / "details").is_dir():
            found = sorted((folder / "details").rglob(f"details_*_{time}.parquet"))
            return {path.stem.removeprefix("details_").removesuffix(f"_{time}"): path for path in found}
    return {}


def _samples(path: Path) -> Iterator[Sample]:
    import pyarrow.lib
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(path) as file:
            place = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield _sample(path, place, row)
                    place += 1
    except (OSError, pyarrow.lib.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read as Parquet ({reason}); copy the file again") from None


def _sample(path: Path, place: int, row: Mapping[str, Any]) -> Sample:
    doc, said, metrics = row.get("doc"), row.get("model_response"), row.get("metric")
    if not isinstance(doc, dict) or not isinstance(said, dict):
        raise UserError(f"{path}: row {place}: doc or model_response is missing; give the file as lighteval wrote it")
    name = str(doc.get("id") or place)
    query, choices = str(doc.get("query") or ""), [str(one) for one in doc.get("choices") or []]
    gold = doc.get("gold_index")
    golds = [
        at for at in (gold if isinstance(gold, list) else [gold]) if isinstance(at, int) and 0 <= at < len(choices)
    ]
    targets = tuple(choices[at].strip() for at in golds)
    logprobs = [log_probability(one) for one in said.get("logprobs") or []]
    given = said.get("input")
    prompt = given if isinstance(given, str) and given else query
    scores = {key: item_score(value) for key, value in (metrics or {}).items() if not isinstance(value, (dict, list))}
    texts = [str(one) for one in said.get("text") or [] if one is not None]
    if logprobs and len(logprobs) == len(choices) and len(choices) > 1:
        options = tuple(choice.strip() for choice in choices)
        example = choice_example(name, doc.get("original_query") or query, options, golds)
        return Sample(example, Answer(name, prompt, options=options, option_logprobs=tuple(logprobs)), scores, query)
    example = Example(name, doc.get("original_query") or query, targets=targets or tuple(choices))
    tokens = said.get("output_tokens") or []
    taken = said.get("text_post_processed") or []
    answer = Answer(
        name,
        prompt,
        target_logprobs=() if texts else tuple(logprobs[:1]),
        text=texts[0] if texts else None,
        response=(str(taken[0]) if taken else texts[0]).strip() if texts else None,
        samples=tuple(texts) if len(texts) > 1 else (),
        prompt_tokens=len(said.get("input_tokens") or []),
        generated_tokens=sum(len(one) for one in tokens if isinstance(one, list)) if texts else 0,
    )
    return Sample(example, answer, scores, query)
