"""Prompts: a strategy with its template, settings, option format and shots, written down in a prompt file (TOML).

    strategy = "direct"            # any that comes along
    options = "lettered"           # own, listed, hidden, lettered
    answer = "typed"               # own (the task's post-processing), typed (found by answer type)
    [template]                     # what differs from the task's own rendering
    input_prefix = "Question: "
    output_prefix = "\nAnswer: "
    [settings]
    trigger = "First,"
    [[shots]]                      # without any, the study's own shots
    input = "Is it common to see frost during some college commencements?"
    target = "Yes"
    options = ["Yes", "No"]

A study names the file among its strategies. ``task`` and ``chosen_on`` say on which examples of which task the prompt
was chosen: a study of that task does not ask them under this prompt, so that the choice does not flatter its scores.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from string import ascii_uppercase

from scalecurve.errors import UserError
from scalecurve.strategies.protocol import Asking, Question, get_strategy
from scalecurve.strategies.render import shown_order
from scalecurve.strategies.shots import FewShotExample, Shot
from scalecurve.strategies.typed import respond, type_of
from scalecurve.types import Answer, Example, Rendering
from scalecurve.util.text import did_you_mean

OPTION_FORMATS = ("own", "listed", "hidden", "lettered")
ANSWERS = ("own", "typed")
TEMPLATE = ("task_prefix", "input_prefix", "output_prefix", "separator", "choice_prefix")
_TYPES: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(("strategy", "options", "answer", "task"), (str, "a text")),
    **dict.fromkeys(("template", "settings"), (dict, "a table")),
    **dict.fromkeys(("shots", "chosen_on"), (list, "a list")),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A way of asking, written down.

    ``template`` replaces parts of the task's rendering. ``options``: how a multiple-choice question shows its options
    (``own``: as the task says; ``lettered``: listed as A., B., …, and the letters are scored). ``answer``: how
    ``direct`` finds the response. ``shots``: shown before every question in place of the study's (None: the study's).
    """

    strategy: str = "direct"
    settings: Mapping[str, object] = field(default_factory=dict)
    template: Mapping[str, str] = field(default_factory=dict)
    options: str = "own"
    answer: str = "own"
    shots: tuple[Example, ...] | None = None
    task: str = ""
    chosen_on: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all that determines what is asked (not of what it was chosen on)."""
        said = asdict(replace(self, task="", chosen_on=()))
        return sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def to_toml(self) -> str:
        """The prompt file that ``parse_prompt`` reads back equal."""
        import tomli_w

        head = {"strategy": self.strategy, "options": self.options, "answer": self.answer, "task": self.task}
        tables = {name: dict(table) for name in ("template", "settings") if (table := getattr(self, name))}
        shots = {} if self.shots is None else {"shots": [_shot_table(shot) for shot in self.shots]}
        ids = ", ".join(tomli_w.dumps({"id": name}).removeprefix("id = ").strip() for name in self.chosen_on)
        return tomli_w.dumps(head) + f"chosen_on = [{ids}]\n" + tomli_w.dumps(shots | tables)


# ── Asking ───────────────────────────────────────────────────────────────────────────────────────────────────
def ask_as(prompt: Prompt, question: Question) -> Asking:
    """Put ``question`` as ``prompt`` says. The Answer is in terms of the question's own options."""
    asked = _reworded(prompt, question)
    answer: Answer = yield from get_strategy(prompt.strategy)(asked)
    if prompt.answer == "typed" and prompt.strategy in ("direct", "few_shot") and answer.text is not None:
        answer = replace(answer, response=respond(asked, answer.text, type_of(asked), few_shot=False))
    example, options = question.query.example, asked.query.example.options
    own = dict(zip(options, example.options, strict=True))
    response = answer.response if answer.response is None else own.get(answer.response, answer.response)
    return replace(answer, options=example.options if answer.options else (), response=response)


def _reworded(prompt: Prompt, question: Question) -> Question:
    """The question in the prompt's template, with its shots, settings and option format."""
    query, settings = question.query, {**question.settings, **prompt.settings}
    shots = query.shots
    if prompt.shots is not None:
        shots = tuple(Shot(example, example.targets[0]) for example in prompt.shots)
    form = Rendering(**asdict(question.task.rendering) | dict(prompt.template))
    if prompt.options in ("listed", "hidden", "lettered"):
        form = replace(form, append_choices=prompt.options == "listed")
    example = query.example
    if prompt.options == "lettered" and example.options:
        shots = tuple(_lettered_shot(shot) for shot in shots)
        example = lettered(example)
        settings["answer_type"] = f"option:{max('B', *example.options)}"
    return replace(
        question, task=replace(question.task, rendering=form), query=FewShotExample(example, shots), settings=settings
    )


def lettered(example: Example) -> Example:
    """The example with its options listed as A., B., …, in the order a task lists them, and letters for options."""
    letters = _letters(example)
    listed = "".join(f"\n{letter}. {option}" for option, letter in letters.items())
    return replace(
        example,
        input=example.input + listed,
        options=tuple(letters[option] for option in example.options),
        targets=tuple(letters.get(target, target) for target in example.targets),
    )


def _lettered_shot(shot: Shot) -> Shot:
    return Shot(lettered(shot.example), _letters(shot.example).get(shot.target, shot.target))


def _letters(example: Example) -> dict[str, str]:
    """Option → letter, in ascending letters."""
    if len(example.options) > len(ascii_uppercase):
        raise UserError(
            f"options: example {example.id} has {len(example.options)}; letters go to {len(ascii_uppercase)}"
        )
    ordered = sorted(example.options)
    return {ordered[at]: ascii_uppercase[place] for place, at in enumerate(shown_order(len(ordered)))}


# ── Reading a prompt file ────────────────────────────────────────────────────────────────────────────────────
def parse_prompt(text: str, source: str) -> Prompt:
    """The prompt of a file's ``text``. ``UserError`` naming ``source``, the field and the fix."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source}: not valid TOML: {error}") from None
    for name, value in table.items():
        if name not in _TYPES:
            raise UserError(f"{source}: {name}: unknown field; {_near(name, tuple(_TYPES))}")
        kind, said = _TYPES[name]
        if not isinstance(value, kind):
            raise UserError(f"{source}: {name}: must be {said}, not {value!r}")
    for name, known in (("options", OPTION_FORMATS), ("answer", ANSWERS)):
        if table.get(name, known[0]) not in known:
            raise UserError(f"{source}: {name}: {table[name]!r}; use {', '.join(known)}")
    for name, value in table.get("template", {}).items():
        if name not in TEMPLATE or not isinstance(value, str):
            raise UserError(f"{source}: template.{name}: give a text for one of {', '.join(TEMPLATE)}")
    if not all(isinstance(name, str) for name in table.get("chosen_on", [])):
        raise UserError(f"{source}: chosen_on: must be a list of example ids, each a text")
    try:
        get_strategy(table.get("strategy", "direct"))
    except UserError as error:
        raise UserError(f"{source}: {str(error).replace('strategies', 'strategy', 1)}") from None
    table["chosen_on"] = tuple(table.get("chosen_on", ()))
    if "shots" in table:
        table["shots"] = tuple(_shot(raw, at, source) for at, raw in enumerate(table["shots"]))
    return Prompt(**table)


def _shot(raw: object, at: int, source: str) -> Example:
    where = f"{source}: shots[{at}]"
    if not isinstance(raw, dict):
        raise UserError(f"{where}: must be a table with input and target")
    known = ("input", "target", "options", "rationale")
    for name in raw:
        if name not in known:
            raise UserError(f"{where}.{name}: unknown field; {_near(name, known)}")
    for name in ("input", "target"):
        if not isinstance(raw.get(name), str):
            raise UserError(f'{where}.{name}: give a text, as {name} = "…"')
    options = raw.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise UserError(f"{where}.options: must be a list of texts")
    if not isinstance(raw.get("rationale", ""), str):
        raise UserError(f"{where}.rationale: must be a text")
    scores = tuple(float(option == raw["target"]) for option in options)
    return Example(f"shot{at}", raw["input"], (raw["target"],), tuple(options), scores, raw.get("rationale", ""))


def _shot_table(shot: Example) -> dict[str, object]:
    table: dict[str, object] = {"input": shot.input, "target": shot.targets[0]}
    if shot.options:
        table["options"] = list(shot.options)
    if shot.rationale:
        table["rationale"] = shot.rationale
    return table


def _near(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known, f"the fields are {', '.join(known)}")
