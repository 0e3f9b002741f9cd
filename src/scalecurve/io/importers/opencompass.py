"""OpenCompass: a work folder with ``results/<model>/<data set>.json``, ``predictions/…`` and ``summary/summary_*.csv``.

Results hold full precision and come first; a summary alone has two decimals. Percentages come in as fractions.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.cells import number
from scalecurve.io.choices import choice_example
from scalecurve.io.conventions import higher_is_better, is_share, item_score, words
from scalecurve.io.shape import Evaluation, Found, Point, Role, Sample, Samples, SourceModel, reader
from scalecurve.io.sources import SourceFile
from scalecurve.io.stream import json_members, json_scalars
from scalecurve.types import Answer, Example

_HEADER = ["dataset", "version", "metric", "mode"]
_NO_SCORE = ("details", "type", "bp", "sys_len", "ref_len")
_LABEL = "label: "


def _role(source: SourceFile) -> Role:
    kind = source.path.parent.parent.name
    work = source.path.parent.parent.parent
    if source.path.suffix == ".json" and kind == "results" and (work / "predictions").is_dir():
        return "head"
    if source.path.suffix in (".json", ".jsonl") and kind == "predictions":
        return "part" if _result_of(source.path).is_file() else "head" if source.path.suffix == ".json" else "part"
    if source.path.suffix == ".csv" and _header(source.path)[:4] == _HEADER:
        return "head" if source.named or not (source.path.parent.parent / "results").is_dir() else "part"
    return ""


def _header(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(1 << 16).strip().split(",")
    except (OSError, UnicodeDecodeError):
        return []


def _result_of(prediction: Path) -> Path:
    """The result of a prediction file; parts ``<name>_0.json`` of one data set share it."""
    name = prediction.stem
    head, _, tail = name.rpartition("_")
    folder = prediction.parent.parent.parent / "results" / prediction.parent.name
    whole = folder / f"{name}.json"
    return whole if whole.is_file() or not tail.isdecimal() else folder / f"{head}.json"


@reader("opencompass", _role)
def read(source: SourceFile) -> Iterable[Found]:
    """A result with its predictions; or predictions alone, without scores; or the rows of a summary."""
    if source.path.suffix == ".csv":
        yield from _summary(source)
        return
    work = source.path.parent.parent.parent
    model, task = SourceModel(source.path.parent.name), source.path.stem
    asked = Evaluation(model, f"opencompass:{task}", source.shots_or_zero(), version=_version(source, work, task))
    if source.path.parent.parent.name == "predictions":
        yield Samples(asked, source.path, _samples([source.path], {}))
        return
    result = json_scalars(source.path)
    if "error" in result:
        source.notes.append(f"holds no scores ({result['error']})")
        return
    predictions = [source.use(path) for path in _predictions(work, model.name, task)]
    count = sum(1 for path in predictions for _ in json_members(path)) or None
    metrics = [key for key, value in result.items() if key not in _NO_SCORE and not isinstance(value, (str, bool))]
    for metric in metrics:
        yield _point(asked, metric, result[metric], count)
    if predictions:
        main = next((key for key in metrics if _is_percent(key)), metrics[0] if metrics else "")
        marks = _correct(source.path, main) if main else {}
        yield Samples(asked, predictions[0], _samples(predictions, marks))


def _point(asked: Evaluation, metric: str, value: object, count: int | None) -> Point:
    found, share = number(value), _is_percent(metric)
    return Point(
        asked,
        metric,
        None if found is None else found / 100 if share else found,
        n=count,
        higher_is_better=higher_is_better(metric),
        ceiling=1.0 if share else None,
    )


def _is_percent(metric: str) -> bool:
    """OpenCompass counts shares in percent; ``score`` is what its exact match is called."""
    return is_share(metric) or metric == "score"


def _version(source: SourceFile, work: Path, task: str) -> str:
    """The hash of the prompts, from the latest summary of the work folder."""
    for path in sorted((work / "summary").glob("summary_*.csv"), reverse=True):
        for row in _rows(path):
            if row.get("dataset") == task and row.get("version", "-") != "-":
                source.use(path)
                return str(row["version"])
    return ""


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}); copy the file again") from None


def _summary(source: SourceFile) -> Iterator[Point]:
    """A point for every data set and model; rows of groups (without a version) and cells without a score are left."""
    for row in _rows(source.path):
        if None in row or None in row.values():
            raise source.fail(
                f"the row of {row.get('dataset')} has another number of cells than the header; it is cut off"
            )
        if row["version"] == "-":
            if row["metric"] != "-":
                source.leave("groups of data sets", row["dataset"])
            continue
        for name, value in row.items():
            if name not in _HEADER:
                asked = Evaluation(
                    SourceModel(name), f"opencompass:{row['dataset']}", source.shots_or_zero(), row["version"]
                )
                yield _point(asked, row["metric"], value, None)


def _predictions(work: Path, model: str, task: str) -> list[Path]:
    """The prediction file of a data set, or its parts in order."""
    folder = work / "predictions" / model
    whole = folder / f"{task}.json"
    if whole.is_file():
        return [whole]
    parts = [(path.stem.removeprefix(f"{task}_"), path) for path in folder.glob(f"{task}_*.json")]
    return [path for _, path in sorted((int(number), path) for number, path in parts if number.isdecimal())]


def _correct(result: Path, metric: str) -> dict[str, dict[str, float | None]]:
    """Example → {metric: 1 or 0} from the details of a result, where they say what was correct."""
    found = {}
    for name, one in json_members(result, "details"):
        mark = one.get("correct", one.get("is_correct")) if isinstance(one, dict) else None
        mark = mark[0] if isinstance(mark, list) and len(mark) == 1 else mark
        if isinstance(mark, (bool, int, float)):
            found[name] = {metric: item_score(mark)}
    return found


def _samples(paths: list[Path], scores: Mapping[str, dict[str, float | None]]) -> Iterator[Sample]:
    place = 0
    for path in paths:
        for key, record in json_members(path):
            if not isinstance(record, dict) or "prediction" not in record:
                raise UserError(f"{path}: {key}.prediction: is missing; give the file as OpenCompass wrote it")
            name = str(place)
            yield Sample(*_answered(name, record), scores.get(name, {}))
            place += 1


def _answered(name: str, record: Mapping[str, object]) -> tuple[Example, Answer]:
    labels = [key for key in record if key.startswith(_LABEL) and isinstance(record[key], dict)]
    gold = record.get("gold")
    if labels:
        return _by_perplexity(name, record, labels, gold)
    prompt = _prompt(record.get("origin_prompt", record.get("prompt")))
    said = record["prediction"]
    texts = [str(one) for one in said] if isinstance(said, list) else [str(said)]
    targets = () if gold is None else tuple(map(str, gold)) if isinstance(gold, list) else (str(gold),)
    answer = Answer(
        name,
        prompt,
        text=texts[0] if texts else None,
        response=texts[0].strip() if texts else None,
        samples=tuple(texts) if len(texts) > 1 else (),
        generated_tokens=sum(map(words, texts)),
        flags=("tokens_are_words",),
    )
    return Example(name, prompt, targets=targets), answer


def _by_perplexity(name: str, record: Mapping[str, Any], labels: list[str], gold: Any) -> tuple[Example, Answer]:
    """A choice by the mean negative log-likelihood of the whole prompt with each option.

    That is no log-probability of an option, so none is filled in; the means are kept in the metadata.
    """
    options = tuple(label.removeprefix(_LABEL) for label in labels)
    right = [at for at, option in enumerate(options) if option == str(gold)]
    means = {option: record[label].get("PPL") for option, label in zip(options, labels, strict=True)}
    prompt = _prompt(record.get("origin_prompt", record[labels[0]].get("prompt")))
    targets = () if gold is None else (str(gold),)
    example = choice_example(name, prompt, options, right, targets, {"mean_nll_of_prompt": means})
    return example, Answer(name, prompt, options=options, response=str(record["prediction"]))


def _prompt(given: object) -> str:
    """A prompt's text, of a chat the turns one below the other."""
    if isinstance(given, list):
        return "\n\n".join(str(turn.get("prompt", "")) if isinstance(turn, dict) else str(turn) for turn in given)
    return "" if given is None else str(given)
