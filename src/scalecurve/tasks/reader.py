"""Reads BIG-bench JSON: a leaf (a file with examples) or a container (a file beside subdirectories of leaves).

Two modes. ``faithful`` does what ``bigbench`` 1.0.0 does, quirks included; ``corrected`` repairs what is known to be
broken. Either way ``Task.flags`` says what is odd about the leaf, and ``corrected:…`` flags what was repaired.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scalecurve.tasks.jsonfile import fail, read_json
from scalecurve.tasks.postprocess import DEFAULT_REGEX, not_an_output_regex
from scalecurve.tasks.probes import read_probes
from scalecurve.tasks.repairs import inspect_and_repair
from scalecurve.types import Example, Postprocess, Rendering, Task

MODES: tuple[str, ...] = ("faithful", "corrected")

CHOICE_METRICS = frozenset(
    {
        "multiple_choice_grade",
        "calibration_multiple_choice_brier_score",
        "expected_calibration_error",
        "weighted_log_probabilities",
        "weighted_probabilities",
        "macro_f1",
    }
)
_AUTOMATIC = ("calibration_multiple_choice_brier_score", "expected_calibration_error")
_ROUGE = ("rouge1", "rouge2", "rougeLsum")
_TEXT_KEYS: Mapping[str, str] = {
    "task_prefix": "task_prefix",
    "example_input_prefix": "input_prefix",
    "example_output_prefix": "output_prefix",
    "few_shot_example_separator": "separator",
    "choice_prefix": "choice_prefix",
}
_TOLD = ("answerable", "gate_text", "pair")  # members of an example that determine prompts or scores of a gate
BENCHMARKS = ("bigbench", "lab")
"""Sources whose files are a benchmark's; so is any file with BIG-bench's canary. All others are the user's own."""

_READ = frozenset({"input", "target", "target_scores", "rationale", "id", "same_as"})  # same_as is ours to say


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A leaf being read: the file, its contents, and whose subtask it is."""

    path: Path
    data: Mapping[str, Any]
    parent: str
    mode: str
    source: str

    def fail(self, *where: str | int, problem: str) -> Any:
        fail(self.path, where, problem)


def read_task(path: Path, *, mode: str = "faithful", source: str = "") -> tuple[Task, ...]:
    """The leaves of the task file ``path``: itself, or those in its subdirectories, sorted by path."""
    data = read_object(path)
    if "examples" in data:
        return (build_task(path, data, mode=mode, source=source),)
    files = subtask_files(path)
    if not files:
        fail(path, (), 'has neither "examples" nor subdirectories with a task.json; add one of them')
    parent = task_name(path, data)
    tasks = tuple(build_task(file, read_object(file), parent=parent, mode=mode, source=source) for file in files)
    names = [task.name for task in tasks]
    twice = next((file for file, name in zip(files, names, strict=True) if names.count(name) > 1), None)
    if twice:
        fail(twice, ("name",), "another subtask has the same name; rename one")
    return tasks


def subtask_files(path: Path) -> list[Path]:
    """The task files one level below a container, in the order of their paths."""
    found = [folder / "task.json" for folder in path.parent.iterdir() if (folder / "task.json").is_file()]
    return sorted(found, key=str)


def build_task(path: Path, data: Mapping[str, object], *, parent: str = "", mode: str, source: str) -> Task:
    """One leaf from its parsed file. ``UserError`` names the file, line and field of what is wrong."""
    leaf = _Leaf(path, data, parent, mode, source)
    name = task_name(path, data)
    metrics, preferred = _metrics(leaf)
    needs_options = bool(CHOICE_METRICS.intersection(metrics))
    own = source not in BENCHMARKS and "canary" not in data
    examples, repeated = _examples(leaf, needs_options, keep=own)
    task = Task(
        name=f"{parent}:{name}" if parent else name,
        examples=examples,
        metrics=metrics,
        preferred_metric=preferred,
        rendering=_rendering(leaf),
        postprocess=_postprocess(leaf),
        chance=blind_grade(examples) if preferred == "multiple_choice_grade" else 0.0,
        max_tokens=_max_tokens(leaf, examples),
        step_tokens=_limit(leaf, "step_tokens") or _limit(leaf, "max_tokens"),
        description=_text(leaf, "description", ""),
        keywords=tuple(_strings(leaf, "keywords")),
        parent=parent,
        source=source,
        flags=("repeats_kept" if own else "duplicates_dropped",) if repeated else (),
        probes=_probes(leaf),
        own=own,
    )
    task = inspect_and_repair(task, data, corrected=mode == "corrected")
    return replace(task, fingerprint=fingerprint(task))


def blind_grade(examples: Sequence[Example]) -> float:
    """What guessing an option blindly earns: the mean over examples of Σ scores / number of options."""
    graded = [example.option_scores for example in examples if example.option_scores]
    return sum(sum(scores) / len(scores) for scores in graded) / len(graded) if graded else 0.0


def fingerprint(task: Task) -> str:
    """SHA-256 over all that determines the prompts and the scores of ``task`` (not its description or source)."""
    digest = hashlib.sha256()
    head = asdict(replace(task, examples=(), description="", source="", keywords=(), fingerprint="", probes={}))
    del head["contrast"], head["step_tokens"], head["own"]
    if task.harness is None:
        del head["harness"]
    elif not task.harness.built:
        del head["harness"]["built"]
    digest.update(json.dumps(head, sort_keys=True).encode())
    for example in task.examples:
        asked = [example.id, example.input, example.targets, example.options, example.option_scores, example.rationale]
        said = [{key: example.metadata[key] for key in _TOLD if key in example.metadata}]
        digest.update(json.dumps([*asked, example.metadata.get("same_as"), *filter(None, said)]).encode())
    return digest.hexdigest()


# ── The head of the file ─────────────────────────────────────────────────────────────────────────────────────
def read_object(path: Path) -> Mapping[str, object]:
    """The JSON object in the task file ``path``."""
    data = read_json(path)
    if not isinstance(data, dict):
        fail(path, (), "a task file must hold a JSON object")
    return data


def task_name(path: Path, data: Mapping[str, object]) -> str:
    """The name, with ``?`` for what is not ASCII, as the reference has it."""
    name = data.get("name")
    if not isinstance(name, str) or not name:
        fail(path, ("name",) if "name" in data else (), 'a task needs a "name" (text)')
    return name.encode("ascii", errors="replace").decode()


def _metrics(leaf: _Leaf) -> tuple[tuple[str, ...], str]:
    """The metrics to compute, with "rouge" written out and the calibration metrics added, and the preferred one."""
    listed = list(_strings(leaf, "metrics"))
    if not listed:
        leaf.fail("metrics", problem='list at least one metric, such as "exact_str_match"')
    names = [name for metric in listed for name in (_ROUGE if metric == "rouge" else (metric,))]
    if "multiple_choice_grade" in names:
        names += _AUTOMATIC
    preferred = _text(leaf, "preferred_score", listed[0])
    if preferred == "rouge":
        leaf.fail("preferred_score", problem='"rouge" is three scores; name rouge1, rouge2 or rougeLsum')
    return tuple(dict.fromkeys(names)), preferred


def _rendering(leaf: _Leaf) -> Rendering:
    default = Rendering()
    texts = {field: _text(leaf, key, getattr(default, field)) for key, field in _TEXT_KEYS.items()}
    return Rendering(**texts, append_choices=bool(leaf.data.get("append_choices_to_input", True)))


def _postprocess(leaf: _Leaf) -> Postprocess:
    regex, stop = leaf.data.get("output_regex"), leaf.data.get("stop_string")
    for key, value in (("output_regex", regex), ("stop_string", stop)):
        if value is not None and not isinstance(value, str):
            leaf.fail(key, problem="must be text")
    if regex:
        problem = not_an_output_regex(regex)
        if problem:
            leaf.fail("output_regex", problem=problem)
    return Postprocess(DEFAULT_REGEX if regex is None and stop is None else regex, stop)


def _probes(leaf: _Leaf) -> Mapping[str, Any]:
    """Partial abilities the file declares, as they stand there; each is checked."""
    declared = leaf.data.get("probes", {})
    if not isinstance(declared, dict):
        leaf.fail("probes", problem="must map names to patterns")
    read_probes(declared, f"{leaf.path}: probes")
    return dict(declared)


def _max_tokens(leaf: _Leaf, examples: Sequence[Example]) -> int:
    """The file's own limit, or 32 tokens, or for long answers half a token a character, at most 256."""
    given = _limit(leaf, "max_tokens")
    if given:
        return given
    longest = max((len(target) for example in examples for target in example.targets), default=0)
    return min(256, max(32, longest // 2))


def _limit(leaf: _Leaf, key: str) -> int:
    """A limit in tokens that the file sets; 0 where it sets none."""
    given = leaf.data.get(key)
    if given is None:
        return 0
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        leaf.fail(key, problem="must be a whole number of at least 1")
    return int(given)


def _text(leaf: _Leaf, key: str, default: str) -> str:
    value = leaf.data.get(key, default)
    if not isinstance(value, str):
        leaf.fail(key, problem="must be text")
    return str(value)


def _strings(leaf: _Leaf, key: str) -> list[str]:
    value = leaf.data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        leaf.fail(key, problem="must be a list of texts")
    return list(value)


# ── The examples ─────────────────────────────────────────────────────────────────────────────────────────────
def _examples(leaf: _Leaf, needs_options: bool, *, keep: bool) -> tuple[tuple[Example, ...], int]:
    """The examples in file order, and how many of them repeat an earlier one: those are dropped unless ``keep``.

    Repeated are raw examples with the same serialisation. Examples that differ only in what does not reach the
    prompt stay, with ``metadata["same_as"]`` naming the first of them: the reference never shows one as a shot of
    the other.
    """
    raws = leaf.data["examples"]
    if not isinstance(raws, list) or not raws:
        leaf.fail("examples", problem="must be a list with at least one example")
    seen: dict[str, int] = {}
    kept: list[tuple[int, Mapping[str, Any]]] = []
    times: list[int] = []
    for index, raw in enumerate(raws):
        if not isinstance(raw, dict):
            leaf.fail("examples", index, problem="an example must be a JSON object")
        text = json.dumps(raw)
        seen[text] = seen.get(text, 0) + 1
        if keep or seen[text] == 1:
            kept.append((index, raw))
            times.append(seen[text])
    ids = _ids(kept, times)
    examples = [_example(leaf, index, raw, name, needs_options) for (index, raw), name in zip(kept, ids, strict=True)]
    return _mark_equals(examples, [raw for _, raw in kept]), len(raws) - len(seen)


def _ids(kept: Sequence[tuple[int, Mapping[str, object]]], times: Sequence[int]) -> list[str]:
    """The file's own ids where every example has a different one, else positions in the file from 0.

    What is there for the second time has ``#2`` after its id, and so on.
    """
    own = [
        str(raw["id"]) + (f"#{time}" if time > 1 else "")
        for (_, raw), time in zip(kept, times, strict=True)
        if isinstance(raw.get("id"), str | int)
    ]
    return own if len(own) == len(kept) == len(set(own)) else [str(index) for index, _ in kept]


def _example(leaf: _Leaf, index: int, raw: Mapping[str, object], name: str, needs_options: bool) -> Example:
    where = ("examples", index)
    text, rationale = raw.get("input"), raw.get("rationale", "")
    if not isinstance(text, str):
        leaf.fail(*where, "input", problem="an example needs an input (text)")
    if not isinstance(rationale, str):
        leaf.fail(*where, "rationale", problem="must be text")
    scores = _scores(leaf, where, raw) if "target_scores" in raw else {}
    if needs_options and not scores:
        leaf.fail(*where, problem="a multiple-choice metric needs target_scores (option to score)")
    if "target" in raw:
        targets = _targets(leaf, where, raw["target"])
    elif scores:
        targets = (_best_option(leaf, where, scores),)
    else:
        leaf.fail(*where, problem="an example needs a target or target_scores")
    return Example(
        id=name,
        input=str(text),
        targets=targets,
        options=tuple(scores),
        option_scores=tuple(scores.values()),
        rationale=str(rationale),
        metadata={key: value for key, value in raw.items() if key not in _READ},
    )


def _scores(leaf: _Leaf, where: tuple[str | int, ...], raw: Mapping[str, Any]) -> dict[str, float]:
    scores = raw["target_scores"]
    if not isinstance(scores, dict) or not scores:
        leaf.fail(*where, "target_scores", problem="must map at least one option to its score")
    for option, score in scores.items():
        if not isinstance(score, int | float) or not abs(score) <= sys.float_info.max:
            leaf.fail(*where, "target_scores", option, problem="a score must be a finite number")
    return {option: float(score) for option, score in scores.items()}


def _targets(leaf: _Leaf, where: tuple[str | int, ...], target: object) -> tuple[str, ...]:
    targets = target if isinstance(target, list) else [target]
    if not targets or not all(isinstance(item, str) for item in targets):
        leaf.fail(*where, "target", problem="must be a text or a list of at least one text")
    return tuple(targets)


def _best_option(leaf: _Leaf, where: tuple[str | int, ...], scores: Mapping[str, float]) -> str:
    """The first option of the highest score; an error where no option is better than another."""
    best = max(scores.values())
    if (len(scores) == 1 and best == 0) or (len(scores) > 1 and best <= min(scores.values())):
        leaf.fail(*where, "target_scores", problem="no correct option; give the right one a higher score")
    return next(option for option, score in scores.items() if score == best)


def _mark_equals(examples: Sequence[Example], raws: Sequence[Mapping[str, object]]) -> tuple[Example, ...]:
    """Name, on each example that equals an earlier one once formatted, the first of them."""
    first: dict[object, int] = {}
    marked = list(examples)
    counts = Counter(_shown(example) for example in examples)
    for at, example in enumerate(examples):
        if counts[_shown(example)] == 1:
            continue
        try:
            key = _hashable(_formatted(example, raws[at]))
        except RecursionError:  # nested so deeply that nobody wrote it twice
            continue
        same = first.setdefault(key, at)
        if same != at:
            marked[at] = replace(example, metadata={**example.metadata, "same_as": examples[same].id})
    return tuple(marked)


def _shown(example: Example) -> tuple[object, ...]:
    return example.input, example.targets, example.options, example.option_scores


def _hashable(value: object) -> Any:
    """A key that is equal where two values of JSON are: lists in order, objects in any."""
    if isinstance(value, dict):
        return "object", frozenset((key, _hashable(each)) for key, each in value.items())
    if isinstance(value, int | float) and value == value:  # as text, whose hashes nobody can foresee
        return "number", repr(value) if isinstance(value, float) and not value.is_integer() else str(int(value))
    return ("list", *map(_hashable, value)) if isinstance(value, list | tuple) else value


def _formatted(example: Example, raw: Mapping[str, object]) -> list[object]:
    """What the reference compares: all members in file order, the target as a list."""
    members = {**raw, "target": list(example.targets)}
    if "target_scores" in raw:
        members["choice"] = list(example.options)
    return [(key, list(value.items()) if isinstance(value, dict) else value) for key, value in members.items()]
