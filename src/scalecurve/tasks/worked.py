"""Worked examples from a prompt file, in the format of BIG-Bench Hard's ``cot-prompts`` (Suzgun et al. 2022).

    a canary or any other remark        optional, up to a line of dashes
    -----
    Answer the question.                optional instruction: it goes before the shots, as the task's prefix

    Q: Anna has 2 apples and gets 3. How many has she?
    A: Let's think step by step.
    2 + 3 = 5. So the answer is 5.

    Q: …

Each ends in "So the answer is …" or "The answer is …". The examples become ``Task.worked``: shots that show their steps
where steps are asked for, and only their answer elsewhere, so that ways of asking differ in nothing else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.tasks.jsonfile import read_text
from scalecurve.tasks.reader import fingerprint
from scalecurve.types import Example, Task

_WORKED = re.compile(r"^Q: (.*?)\nA: (.*?)(?=\n\nQ: |\Z)", re.MULTILINE | re.DOTALL)
_CONCLUSION = re.compile(r"[Tt]he answer is:? ((?:(?![Tt]he answer is).)*?)\.?\s*\Z", re.DOTALL)
_REMARK = re.compile(r"\A.*?^-{3,}[ \t]*\n", re.MULTILINE | re.DOTALL)


def read_worked(path: Path) -> tuple[str, tuple[Example, ...]]:
    """The instruction ("" without one) and the worked examples of a prompt file."""
    body = _REMARK.sub("", read_text(path).replace("\r\n", "\n"), count=1).strip("\n")
    instruction, _, shots = f"\n\n{body}".partition("\n\nQ: ")
    examples = []
    for at, found in enumerate(_WORKED.finditer(f"Q: {shots}"), start=1):
        concluded = _CONCLUSION.search(found[2])
        if concluded is None:
            raise UserError(f'{path}: worked example {at} does not end in "So the answer is …"')
        examples.append(Example(f"worked{at - 1}", found[1], (concluded[1],), rationale=found[2]))
    return instruction.strip("\n"), tuple(examples)


def with_worked(task: Task, prompts: str) -> Task:
    """``task`` with the worked examples of the file ``prompts``, or of the file in it that has the task's name.

    An instruction in the file replaces the task's prefix. ``UserError`` without such a file or an example in it.
    """
    path = Path(prompts)
    if path.is_dir():
        names = (task.name, task.name.replace(":", "_"), task.name.rpartition(":")[2])
        files = [path / f"{name}.txt" for name in names]
        path = next((file for file in files if file.is_file()), files[0])
    if not path.is_file():
        raise UserError(f"cot_prompts: {path}: no such file; give a prompt file, or a directory with one a task")
    instruction, worked = read_worked(path)
    if not worked:
        raise UserError(f'cot_prompts: {path}: no worked example; write each as "Q: …", "A: … So the answer is …."')
    form = replace(task.rendering, task_prefix=f"{instruction}\n\n") if instruction else task.rendering
    task = replace(task, rendering=form, worked=worked)
    return replace(task, fingerprint=fingerprint(task))
