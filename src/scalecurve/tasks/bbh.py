"""BIG-Bench Hard (Suzgun et al. 2022, arXiv 2210.09261): 27 files, read from a directory the user names.

    <directory>/bbh/<name>.json           {"examples": [{"input", "target"}, …]}; in some copies tasks/<name>.json
    <directory>/cot-prompts/<name>.txt    canary, "-----", instruction, three worked examples

The worked examples become ``Task.worked``: shots that show their steps under chain of thought and only their answer
under direct prompting, as in the paper. A task whose questions list options (or whose targets are only two) is also
multiple choice, so that its chance level is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.tasks.jsonfile import fail, read_json
from scalecurve.tasks.reader import blind_grade, fingerprint
from scalecurve.tasks.registry import leaf_name, suggest, task_format
from scalecurve.tasks.worked import read_worked
from scalecurve.types import Example, Postprocess, Rendering, Task

RENDERING = Rendering(input_prefix="Q: ", output_prefix="\nA: ", separator="\n\n", append_choices=False)
ANSWER = r"\A\s*([^\n]*?)\.?[^\S\n]*(?:\n|\Z)"
"""A direct answer: the first line without outer blanks and one final period."""

MAX_TOKENS = 512
_FAMILIES = ("logical_deduction", "tracking_shuffled_objects")
_LETTER = re.compile(r"^\(([A-Z])\) ", re.MULTILINE)
HOMES = ("bbh", "tasks")
_DASH = re.compile(r"^- (.+)$", re.MULTILINE)


def _absolute(rest: str, base: Path) -> str:
    """A directory, or a task in it by its name."""
    folder = base / rest
    known = folder.is_dir() or any((folder.parent / name).is_dir() for name in HOMES)
    return str(folder.resolve()) if known else rest


def _home(folder: Path) -> Path | None:
    """Where the tasks of a checkout are: ``bbh``, as published, or ``tasks``."""
    return next((folder / name for name in HOMES if any((folder / name).glob("*.json"))), None)


@task_format("bbh", absolute=_absolute, leaf=lambda named, task: f"{named}/{leaf_name(task)}")
def load_bbh(rest: str, *, mode: str = "faithful") -> tuple[Task, ...]:
    """The task of ``DIRECTORY/NAME``, or all tasks of ``DIRECTORY``."""
    path = Path(rest).expanduser()
    home = _home(path)
    if home:
        return tuple(_load(home, file.stem) for file in sorted(home.glob("*.json")))
    folder, name = path.parent, path.name.removesuffix(".json")
    home = _home(folder)
    if home is None and folder.name in HOMES:  # DIRECTORY/bbh/NAME, the path of the file itself
        home = _home(folder.parent)
    if home is None:
        raise UserError(f"task 'bbh:{rest}': {folder} has no folder bbh or tasks; give bbh:DIRECTORY/NAME")
    names = [file.stem for file in home.glob("*.json")]
    if name not in names:
        raise UserError(f"task 'bbh:{rest}': no such task in {home}{suggest(name, names)}")
    return (_load(home, name),)


def _load(home: Path, name: str) -> Task:
    raws = _raw_examples(home / f"{name}.json")
    prompts = home.parent / "cot-prompts" / f"{name}.txt"
    instruction, worked = read_worked(prompts) if prompts.is_file() else ("", ())
    examples = _with_options([Example(str(at), raw["input"], (raw["target"],)) for at, raw in enumerate(raws)])
    graded = [example for example in examples if example.options]
    faulty = 0 < len(graded) < len(examples)
    task = Task(
        name=name,
        examples=examples,
        metrics=("exact_match", "multiple_choice_grade") if graded else ("exact_match",),
        preferred_metric="exact_match",
        rendering=replace(RENDERING, task_prefix=f"{instruction}\n\n" if instruction else ""),
        postprocess=Postprocess(regex=ANSWER),
        chance=blind_grade(graded),
        max_tokens=MAX_TOKENS,
        description=instruction,
        parent=next((family for family in _FAMILIES if name.startswith(family)), ""),
        source="bbh",
        flags=("faulty_targets",) if faulty else (),
        worked=worked,
    )
    return replace(task, fingerprint=fingerprint(task))


def _raw_examples(path: Path) -> Sequence[Mapping[str, str]]:
    data: Any = read_json(path)
    raws = data.get("examples") if isinstance(data, dict) else None
    if not isinstance(raws, list) or not raws:
        fail(path, ("examples",), "must be a list with at least one example")
    for at, raw in enumerate(raws):
        for key in ("input", "target"):
            if not isinstance(raw, dict) or not isinstance(raw.get(key), str):
                fail(path, ("examples", at, key), "an example needs input and target (text)")
    return raws


def _with_options(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Examples with the options their questions list, or the two answers there are.

    An example whose target is none of its options (three such exist) keeps its target and has no options.
    """
    targets = sorted({example.targets[0] for example in examples})
    listed = [_listed(example.input) for example in examples]
    if not any(listed) and len(targets) == 2:
        listed = [tuple(targets)] * len(examples)
    return tuple(
        replace(example, options=options, option_scores=tuple(float(o == example.targets[0]) for o in options))
        if example.targets[0] in options
        else example
        for example, options in zip(examples, listed, strict=True)
    )


def _listed(text: str) -> tuple[str, ...]:
    """The options a question lists: "(A)", "(B)", … or the texts after dashes."""
    below = text.partition("\nOptions:\n")[2]
    letters = tuple(f"({letter})" for letter in _LETTER.findall(below))
    return letters or tuple(option.strip() for option in _DASH.findall(below))
