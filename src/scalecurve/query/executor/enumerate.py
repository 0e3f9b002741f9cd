"""Keys that a model comes up with, for a scan that nothing bounds."""

from __future__ import annotations

from dataclasses import replace

from scalecurve.errors import UserError
from scalecurve.query.answers.values import TEXT, says_unknown
from scalecurve.query.executor.run import Run
from scalecurve.query.rungs.choose import Options
from scalecurve.query.rungs.cost import Estimate
from scalecurve.query.sql.statement import KnowledgeTable
from scalecurve.strategies.driver import ask
from scalecurve.types import Rendering, Request

SAMPLES = 16  # keys drawn in one call
MOST_KEYS = 1000
MOST_LETTERS = 60


def draw_keys(run: Run, table: KnowledgeTable, options: Options, most: int | None, alias: str) -> list[str]:
    """At most ``most`` keys: texts sampled in the key's place of its question, until a call brings no new one."""
    from scalecurve.query.answers.calls import Asked

    label = f"{alias}.{table.key.name}"
    shape = run.shape_of(Asked("keys", TEXT, (table.name,)), options, label)
    choice = run.asker.settle(shape)
    step = run.step(shape, label, "FROM, open scan")
    limit = min(most if most is not None else MOST_KEYS, MOST_KEYS)
    if run.dry:
        step.expect(None, limit, Estimate(0, limit, 0, None, False), False)
        return [f"?{at}" for at in range(limit)]
    if choice is None:
        return []
    before = run.asker.chooser.models.total()
    model = run.asker.chooser.models.open(choice.rung)
    prompt, stop = _prompt(table)
    keys: dict[str, None] = {}
    for turn in range(limit):
        request = Request(prompt, max_tokens=16, stop=stop, temperature=1.0, samples=SAMPLES, seed=options.seed + turn)
        (output,) = ask(model, [request], None)
        if output.error:
            raise UserError(f"query: {label}: the model gives no keys: {output.error}")
        known = len(keys)
        for text in output.texts:
            key = text.strip().rstrip(".")
            if key and len(key) <= MOST_LETTERS and not says_unknown(key) and len(keys) < limit:
                keys.setdefault(key)
        if len(keys) == known or len(keys) >= limit:
            break
    spent = run.asker.chooser.models.total().since(before)
    step.actual = spent
    step.ask = replace(
        step.ask,
        rows=len(keys),
        distinct=len(keys),
        model=choice.rung.name,
        why=choice.why,
        strategy=f"sampled, {SAMPLES} a call",
    )
    return list(keys)


def _prompt(table: KnowledgeTable) -> tuple[str, tuple[str, ...]]:
    """The text after which the model writes a key, and what ends it."""
    frame, hole = Rendering(), f"{{{table.key.name}}}"
    question = table.key.question or f"Name a {table.name.replace('_', ' ')}."
    before, found, after = question.partition(hole)
    if not found:
        return frame.input_prefix + question + frame.output_prefix, ("\n",)
    return frame.input_prefix + before, tuple(each for each in (after.rstrip(), "\n") if each)
