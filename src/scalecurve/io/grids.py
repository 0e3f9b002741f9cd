"""Tables that do not begin with one row of column names: Markdown, Excel, titles and comments above, headings in two
rows, tasks down and models across. Each becomes a plain table of texts, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from scalecurve.io.cells import model_name, number
from scalecurve.io.conventions import missing_mark
from scalecurve.io.headings import METRICS, NAMES, heading, is_metric_name, of_error, plain, says_shots
from scalecurve.io.sizes import size_in_name

HEAD_ROWS = 30  # among which the names of columns must stand
Rows = list[list[str]]
Grid = tuple[list[str], Rows, str]


def plain_table(rows: Rows, model: str = "", columns: Iterable[str] = ()) -> Grid | None:
    """(names, rows, what is worth telling) of a table wherever it begins; None where none is seen.

    ``model`` is the model of all rows, where they name none, and ``columns`` are names that its first row must hold.
    """
    rows = [[one.strip() for one in row] for row in rows if any(one.strip() for one in row)]
    width = max(map(len, rows), default=0)
    rows = [row + [""] * (width - len(row)) for row in rows]
    filled = [at for at in range(width) if sum(bool(row[at]) for row in rows) > 1 or not at]
    rows = [[row[at] for at in filled] for row in rows]
    if wanted := set(columns):
        at = next((at for at, row in enumerate(rows[:HEAD_ROWS]) if wanted <= set(row)), None)
        return None if at is None else (_apart(rows[at]), rows[at + 1 :], "")
    for at, row in enumerate(rows[:HEAD_ROWS]):
        names = {plain(one) for one in row}
        if names & _MODEL and sum(map(bool, row)) > 1:
            return _two_rows(rows, at)
        if at > 1 and len(names - {""}) == 1 and names & _MODEL and rows[at][0] and not rows[at - 1][0]:
            above = [*rows[at][:1], *_join(_spread(rows[at - 2]), rows[at - 1])[1:]]  # the index's own name, by pandas
            return _apart(above), rows[at + 1 :], "the names of its columns stand in three rows"
        if names & _TASK and (found := _across(rows[at:]) or _harness_printed(rows, at, model)):
            return found
    if rows and (found := _of_tracker(rows)):
        return found
    for at, row in enumerate(rows[:HEAD_ROWS]):
        if not row[0] and (found := _across(rows[at:])):
            return found
    return _models_down(rows)


def _models_down(rows: Rows) -> Grid | None:
    """A table whose first column has no name, or another than models', but holds names with sizes in most rows."""
    if len(rows) < 3 or len(rows[0]) < 2 or plain(rows[0][0]) in _TASK or not any(rows[0][1:]):
        return None
    sized = sum(size_in_name(model_name(row[0])) is not None for row in rows[1:])
    if 2 * sized <= len(rows) - 1 or not any(_numeric(rows[1:], at) for at in range(1, len(rows[0]))):
        return None
    if rows[0][0] and any(_texts(rows[1:], at) for at, name in enumerate(rows[0]) if at and plain(name) not in _KNOWN):
        return None  # a column of texts beside them, without a known name, may say the task
    said = f"the first column ({rows[0][0]!r}) holds the models" if rows[0][0] else "the first column holds the models"
    return _apart(["model", *rows[0][1:]]), rows[1:], said


_UNIT = re.compile(
    r"[(\[]?\s*(%|[kmbt]|billions?|millions?|trillions?|acc\.?|em|f1|↑|↓|e\d+|1e\d+)\s*[)\]]?", re.IGNORECASE
)
_MODEL, _TASK = set(NAMES["model"]), set(NAMES["task"])
_KNOWN = {name for names in NAMES.values() for name in names}


def _two_rows(rows: Rows, at: int) -> Grid:
    """Names in one row, or in two: metrics below merged tasks, or groups of benchmarks above them."""
    names, body = rows[at], rows[at + 1 :]
    where = next(place for place, one in enumerate(names) if plain(one) in _MODEL)
    below = body[0] if body else []
    if below and not below[where] and any(below) and all(_UNIT.fullmatch(one) for one in below if one):
        units = [f"({one.strip('()[]')})" if one else "" for one in below]
        names, body = [f"{own} {unit}".strip() for own, unit in zip(names, units, strict=True)], body[1:]
    elif below and not below[where] and any(below) and all(number(one) is None for one in below):
        names, body = _join(_spread(names), below), body[1:]
    elif at and (_metrics_only(names, where) or any(map(says_shots, rows[at - 1]))):
        above = _spread(rows[at - 1])
        kept = [group if _of_scores(own) or says_shots(group) else "" for group, own in zip(above, names, strict=True)]
        names = _join(kept, names)
    told = "the names of its columns stand in two rows" if names != rows[at] else ""
    return _apart(names), body, told


def _spread(row: Sequence[str]) -> list[str]:
    """A row of merged cells, each of which stands for those to its right that are empty."""
    spread, last = [], ""
    for one in row:
        last = one or last
        spread.append(last)
    return spread


def _join(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """Names of tasks and the metrics below them as one; an error without a metric's name is that of its neighbour."""
    names: list[str] = []
    for group, given in zip(above, below, strict=True):
        own = METRICS.get(plain(given), given)
        if own and says_shots(group):
            names.append(f"{own} ({group})")
        elif not own or not group or own == group:
            names.append(own or group)
        elif plain(own) in NAMES["se"] and plain(own) != "acc_stderr":
            names.append(f"{names[-1] if names else group}_stderr")
        else:
            names.append(f"{group}_{own}" if _of_scores(own) else own)
    return names


def _of_scores(name: str) -> bool:
    """Whether a column holds scores by a metric, or their errors, by its name alone."""
    return is_metric_name(name) or bool(of_error(name)) or plain(name) in NAMES["se"] or plain(name) in METRICS


def _metrics_only(names: Sequence[str], where: int) -> bool:
    """Whether names repeat, or are metrics without their tasks."""
    own = [one for place, one in enumerate(names) if place != where and one]
    metrics = sum(map(_of_scores, own))
    return len(set(own)) < len(own) or (metrics > 0 and 2 * metrics >= len(own))


def _apart(names: Iterable[str]) -> list[str]:
    """Names that are all there, and none twice."""
    found: list[str] = []
    for at, name in enumerate(names):
        own = name or f"unnamed_{at}"
        found.append(own if own not in found else f"{own}_{at}")
    return found


def _across(rows: Rows) -> Grid | None:
    """(names, rows), a row a model, of a table with a row a task and a column a model; None where it is none."""
    head, body = rows[0], [row for row in rows[1:] if row[0]]
    across = [at for at, one in enumerate(head) if at and one and size_in_name(model_name(one)) is not None]
    others = [at for at, one in enumerate(head) if at and one and at not in across]
    models = [*across, *(at for at in others if _may_be_model(head[at]) and _numeric(body, at))]
    named = plain(head[0]) in _TASK and "score" not in map(plain, head)
    summary = {"version", "metric", "mode"} <= set(map(plain, head))  # OpenCompass', also of one model
    if len(models) < 2 - summary or not (named or len(across) > 1) or not all(_numeric(body, at) for at in across):
        return None
    told = {plain(head[at]): at for at in others if at not in models}
    kept = [("shots", at) for name, at in told.items() if name in NAMES["shots"]]
    kept += [("metric", at) for name, at in told.items() if name in NAMES["metric"]]
    names = ["model", "task", *(name for name, _ in kept), "score"]
    rows = [
        [head[at], row[0], *(row[place] for _, place in kept), row[at]]
        for at in sorted(models)
        for row in body
        if not (AVERAGE.fullmatch(row[0]) or any(row[place] in _OF_GROUPS for _, place in kept)) and row[at]
    ]
    return names, rows, "models stand across and tasks down; averages are left out"


_TRACKED = re.compile(r"(.+?) - ([^ ].*?)(__MIN|__MAX)?")
_OF_RUNS = {"state", "runtime", "created", "_step", "user", "_runtime", "_timestamp"}


def _of_tracker(rows: Rows) -> Grid | None:
    """What Weights & Biases saves: a chart (steps down, ``RUN - METRIC`` across), or its table of runs."""
    head = rows[0]
    names = [plain(one) for one in head]
    if "name" in names and set(names) & _OF_RUNS:
        of_runs = ["model" if own == "name" else _metric_of(one) for own, one in zip(names, head, strict=True)]
        return _apart(of_runs), rows[1:], "each run of Weights & Biases is a model"
    columns = {at: found for at, one in enumerate(head) if (found := _TRACKED.fullmatch(one))}
    course = next((ours for ours in ("step", "epoch") if names[0] in NAMES[ours]), "")
    axes = [one for one in names if one in NAMES["step"] or one in NAMES["epoch"]]
    if not course or not columns or len(columns) < len(head) - len(axes):
        return None
    values: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows[1:]:
        for at, found in columns.items():
            if not found[3] and row[at] and row[0]:
                values.setdefault((found[1], row[0]), {})[_metric_of(found[2])] = row[at]
    metrics = list(dict.fromkeys(name for own in values.values() for name in own))
    body = [[*key, *(own.get(name, "") for name in metrics)] for key, own in values.items()]
    return ["model", course, *metrics], body, f"runs stand across and {course}s down, as Weights & Biases saves charts"


def _metric_of(name: str) -> str:
    return re.sub(r"^(eval|test|val|valid|validation|metrics|harness)/", "", name)


def _may_be_model(name: str) -> bool:
    """Whether a column without a size in its name may be a model's: it is called by no other thing."""
    usual = plain(name) in {one for names in NAMES.values() for one in names}
    return not (usual or is_metric_name(name) or of_error(name) or heading(name).shots is not None or number(name))


_OF_GROUPS = ("naive_average", "weighted_average", "standard_deviation", "harmonic_mean")  # OpenCompass' metrics
AVERAGE = re.compile(
    r"[*_]*(macro[ -]?|micro[ -]?)?(average|avg\.?|mean|total|overall|平均|平均分|均值|总分)[*_]*", re.I
)


def _numeric(body: Rows, at: int) -> bool:
    cells = [row[at] for row in body if row[at] and not missing_mark(row[at])]
    read = sum(number(one) is not None for one in cells)
    return read > 0 and 2 * read >= len(cells)


def _texts(body: Rows, at: int) -> bool:
    return any(row[at] for row in body) and not _numeric(body, at)


def _harness_printed(rows: Rows, at: int, model: str) -> Grid | None:
    """The table that lm-evaluation-harness prints: tasks named once, the model in the line above it."""
    names = [plain(one) for one in rows[at]]
    if not {"metric", "value"} <= set(names):
        return None
    for row in rows[:at]:
        found = re.search(r"\(.*?\b(?:pretrained|model|path)=([^,)\s]+)", " ".join(row))
        model = model or (found[1] if found else "")
    if not model:
        return None
    task, metric = next(place for place, one in enumerate(names) if one in _TASK), names.index("metric")
    kind = names.index("filter") if "filter" in names else None
    body, last = [], ""
    for row in rows[at + 1 :]:
        last = re.sub(r"^[\s-]+", "", row[task]) or last
        under = "" if kind is None or row[kind] in ("", "none") else f",{row[kind]}"
        body.append([model, *row[:task], last, *row[task + 1 : metric], row[metric] + under, *row[metric + 1 :]])
    return _apart(["model", *rows[at]]), body, ""


def record_rows(content: Any) -> Rows:
    """JSON that holds a table: a list of records, or scores by model and task; no rows of anything else."""
    if isinstance(content, dict) and (rows := _framed(content)):
        return rows
    if isinstance(content, dict) and (lists := [one for one in content.values() if _records(one)]):
        return record_rows(lists[0]) if len(lists) == 1 else []
    if isinstance(content, dict) and content and all(isinstance(one, dict) for one in content.values()):
        if all(isinstance(one, int | float | str | None) for own in content.values() for one in own.values()):
            names = list(dict.fromkeys(name for own in content.values() for name in own))
            corner = "model" if any(size_in_name(name) for name in content) else "task"
            return [
                [corner, *names],
                *([name, *(_text(own.get(one)) for one in names)] for name, own in content.items()),
            ]
        if rows := _by_metric(content):
            return rows
    if isinstance(content, dict):  # beside what is told of it
        inner = [rows for one in content.values() if isinstance(one, dict) and (rows := record_rows(one))]
        return inner[0] if len(inner) == 1 else []
    if not _records(content):
        return []
    if all(isinstance(one.get("row"), dict) for one in content):  # pages of the Hub's viewer of data sets
        content = [one["row"] for one in content]
    flat = [_flat(one) for one in content]
    names = list(dict.fromkeys(name for one in flat for name in one))
    return [names, *([_text(one.get(name)) for name in names] for one in flat)]


def _framed(content: dict[str, Any]) -> Rows:
    """A data frame in one of the ways that libraries write them; no rows of anything else.

    ``{"columns": […], "data": [[…], …]}`` (or HELM's ``header`` and ``rows``, of cells with a ``value``), a list a
    column, or a column's cells by their row's number.
    """
    for head, body in (("columns", "data"), ("header", "rows")):
        names, rows = content.get(head), content.get(body)
        if isinstance(names, list) and isinstance(rows, list) and rows and all(isinstance(row, list) for row in rows):
            return [
                [_text(one.get("value") if isinstance(one, dict) else one) for one in row] for row in [names, *rows]
            ]
    columns = list(content.values())
    if columns and all(isinstance(one, dict) and one and all(map(str.isdecimal, one)) for one in columns):
        columns = [list(one.values()) for one in columns]
    long = {len(one) if isinstance(one, list) else 0 for one in columns}
    cells = [one for column in columns if isinstance(column, list) for one in column]
    if len(long) == 1 and min(long) > 1 and all(map(_plain, cells)):
        return [list(content), *([_text(one) for one in row] for row in zip(*columns, strict=True))]
    return []


def _records(content: object) -> bool:
    return isinstance(content, list) and bool(content) and all(isinstance(one, dict) for one in content)


def _by_metric(content: dict[str, Any]) -> Rows:
    """``{model: {task: {metric: score}}}``, or tasks outside; no rows of anything else."""
    inner = [one for own in content.values() for one in own.values()]
    if not inner or not all(isinstance(one, dict) for one in inner):
        return []
    if not all(isinstance(one, int | float | str | None) for own in inner for one in own.values()):
        return []
    metrics = list(dict.fromkeys(name for own in inner for name in own))
    models_first = any(size_in_name(name) for name in content)
    if not models_first and not any(size_in_name(name) for own in content.values() for name in own):
        return []
    rows = [["model", "task", *metrics]]
    for outer, own in content.items():
        for name, scores in own.items():
            pair = [outer, name] if models_first else [name, outer]
            rows.append([*pair, *(_text(scores.get(one)) for one in metrics)])
    return rows


def _flat(record: dict[str, Any]) -> dict[str, object]:
    """A record whose inner records stand beside its own fields: ``{"metrics": {"acc": 0.5}}`` has ``acc``."""
    flat: dict[str, object] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            for own, one in value.items():
                if isinstance(one, dict):  # {"scores": {"piqa": {"acc": 0.5}}} has ``piqa_acc``
                    scores = [inner for inner in one if not of_error(f"x_{inner}")]
                    for inner, found in one.items():
                        of = f"{scores[0]}_" if inner not in scores and len(scores) == 1 else ""
                        flat |= {f"{own}_{of}{inner}": found} if _plain(found) else {}
                elif _plain(one):
                    flat[own if own not in record else f"{name}_{own}"] = one
        elif not isinstance(value, list):
            flat[name] = value
    return flat


def _plain(value: object) -> bool:
    return not isinstance(value, list | dict)


def _text(value: object) -> str:
    return "" if value is None else str(value)
