"""Answers for many rows of one shape: chosen model, gate, strategy, cascade, budget; and what that would cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.models.cached import NotKept
from scalecurve.query.answers.aggregate import PART, aggregated, first_prompts
from scalecurve.query.answers.call_cache import CallShape
from scalecurve.query.answers.calls import AnswerCell, Tuple, cell_of
from scalecurve.query.answers.cascade import LEAST, Targets, run_cascade
from scalecurve.query.answers.lexical import likeness
from scalecurve.query.rungs.choose import Choice, Chooser
from scalecurve.query.rungs.cost import (
    STEP_TOKENS,
    TOGETHER,
    Estimate,
    bound,
    estimate,
    gated,
    row_gate,
    row_question,
    strategy_of,
)
from scalecurve.strategies import Question, get_strategy
from scalecurve.strategies.driver import ask, drive
from scalecurve.strategies.gating import ANSWERABLE, gate_label, gate_margin
from scalecurve.strategies.typed import respond, type_of
from scalecurve.types import Answer

if TYPE_CHECKING:
    from scalecurve.models.cached import CachedModel

UNSURE = 0.5  # confidence below which ``auto`` writes out steps

Progress = Callable[[str, int, int], None]


class Asker:
    """Fills shapes with cells."""

    def __init__(
        self,
        chooser: Chooser,
        calibrations: Mapping[str, Callable[[float], float]],
        *,
        gates: Mapping[str, float] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.chooser = chooser
        self.calibrations = calibrations
        self.gates = dict(gates or {})
        self.progress = progress

    def settle(self, shape: CallShape) -> Choice | None:
        """The shape's choice, made once."""
        if not shape.chosen:
            choice = self.chooser.choose(shape.options)
            if choice is not None and shape.options.cascades and choice.proxy is None and not _of_pairs(shape):
                raise UserError(f"query: recall and precision need a rung smaller than {choice.rung.name} as proxy; "
                                "give a ladder with --model or USING model")  # fmt: skip
            shape.choice, shape.chosen = choice, True
            shape.thresholds = _thresholds(shape)
            shape.guarantee = _guarantee(shape)
        return shape.choice

    def fill(self, shape: CallShape, rows: Sequence[Tuple]) -> None:
        """A cell for every one of ``rows`` that has none yet."""
        new = [row for row in dict.fromkeys(rows) if row not in shape.cells]
        choice = self.settle(shape)
        if not new:
            return
        if choice is None:
            abstained = AnswerCell(status="abstained", reason="no rung passes min_accuracy")
            shape.cells.update(dict.fromkeys(new, abstained))
        elif _cascades(shape, choice) and len(new) > LEAST:
            self._cascade(shape, choice, new)
        else:
            self._fill(shape, choice, new)
        least = shape.options.min_confidence
        if least is None:
            return
        for row in new:
            cell = shape.cells[row]
            if cell.status == "ok" and (cell.confidence is None or cell.confidence < least):
                shape.cells[row] = replace(cell, value=None, status="abstained", reason="below min_confidence")

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────
    def _fill(self, shape: CallShape, choice: Choice, rows: Sequence[Tuple]) -> None:
        """Ask in stretches that fit the budget; rows beyond it abstain, or are an error where ``on_fail`` says so."""
        model = self.chooser.models.open(choice.rung)
        budget = shape.options.budget
        left = list(rows)
        while left:
            some = left[:TOGETHER]
            if budget is not None:
                some = self._affordable(shape, choice, model, some, budget.tokens - budget.spent)
                if not some:
                    break
            left = left[len(some) :]
            cells = self._ask(shape, choice, model, some)
            shape.cells.update(cells)
            if budget is not None:
                budget.spent += sum(cell.tokens_in + cell.tokens_out for cell in cells.values())
        if left and budget is not None:
            if shape.options.on_fail == "error":
                raise UserError(
                    f"query: the budget of {budget.tokens} tokens is used up, {len(left)} answers are missing"
                )
            shape.cells.update(dict.fromkeys(left, AnswerCell(status="abstained", reason="the budget is used up")))

    def _affordable(
        self, shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple], tokens: int
    ) -> list[Tuple]:
        """The first of ``rows`` that surely cost no more than ``tokens`` together."""
        kept = []
        for row in rows:
            tokens -= bound(shape, choice, model, row).tokens
            if tokens < 0:
                break
            kept.append(row)
        return kept

    def _ask(
        self, shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]
    ) -> dict[Tuple, AnswerCell]:
        """Cells of ``rows``: the gate first where it is on, then the strategy, or for auto one after the other."""
        if shape.asked.function == "ai_agg":
            return self._aggregate(shape, choice, model, rows)
        cells: dict[Tuple, AnswerCell] = {}
        strategy = strategy_of(shape, choice)
        if gated(shape):
            cells = self._gate(shape, choice, model, rows)
        refused = {row for row, cell in cells.items() if cell.status != "ok"}
        open_rows = [row for row in rows if row not in refused]
        if strategy == "direct":
            answered = self._with(shape, choice, model, open_rows, "direct", "direct")
        elif strategy == "cot":
            answered = self._with(shape, choice, model, open_rows, choice.steps, "cot")
        elif strategy == "auto":
            answered = self._auto(shape, choice, model, open_rows)
        else:
            answered = self._votes(shape, choice, model, open_rows)
        return {row: _added(cells.get(row), answered[row]) if row in answered else cells[row] for row in rows}

    def _aggregate(
        self, shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]
    ) -> dict[Tuple, AnswerCell]:
        """Cells of groups, whose texts are the rows' arguments."""
        part, count = replace(shape, asked=PART), model.count_tokens
        prompts = {row: first_prompts(row, shape.asked, count) for row in rows}
        return aggregated(
            prompts, shape.asked, lambda some: self._with(part, choice, model, some, "direct", "direct"), count
        )

    def _auto(
        self, shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]
    ) -> dict[Tuple, AnswerCell]:
        """Fast first; where it is unsure and steps are known to help, steps; where the two disagree, a vote."""
        cells = self._with(shape, choice, model, rows, "direct", "direct")
        unsure = [row for row, c in cells.items() if choice.steps and c.status != "error" and _unsure(c)]
        slow = self._with(shape, choice, model, unsure, choice.steps, "cot")
        split = [row for row in unsure if slow[row].value is None or slow[row].value != cells[row].value]
        voted = self._votes(shape, choice, model, split)
        for row in unsure:
            cells[row] = _added(cells[row], slow[row])
        for row in split:
            cells[row] = _added(cells[row], voted[row])
        return cells

    def _votes(
        self, shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]
    ) -> dict[Tuple, AnswerCell]:
        settings = {"samples": max(choice.samples, 1), "adaptive": True, "max_tokens": STEP_TOKENS}
        return self._with(shape, choice, model, rows, "self_consistency", f"sc({choice.samples})", settings)

    def _with(
        self,
        shape: CallShape,
        choice: Choice,
        model: CachedModel,
        rows: Sequence[Tuple],
        strategy: str,
        called: str,
        settings: Mapping[str, object] | None = None,
    ) -> dict[Tuple, AnswerCell]:
        """Cells of ``rows`` by one strategy, asked side by side."""
        if not rows:
            return {}
        more = dict(settings or ({} if strategy == "direct" else {"max_tokens": STEP_TOKENS}))
        questions = [row_question(shape, model, row, more) for row in rows]
        generators = [get_strategy(strategy)(question) for question in questions]
        answers = drive(model, [""] * len(rows), generators, self._heard(shape, model.name))
        calibrate = self.calibrations.get(choice.rung.name)
        return {
            row: cell_of(
                shape.asked, answer, model=model.name, strategy=called, votes=_share(question, answer),
                calibrate=calibrate,
            )
            for row, question, answer in zip(rows, questions, answers, strict=True)
        }  # fmt: skip

    def _heard(self, shape: CallShape, model: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        return None if progress is None else lambda done, total: progress(f"{model}: {shape.label}", done, total)

    def _gate(
        self, shape: CallShape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]
    ) -> dict[Tuple, AnswerCell]:
        """For each row, whether its question can be answered at all."""
        requests = [row_gate(row_question(shape, model, row), choice.rung) for row in rows]
        least = self.gates.get(choice.rung.name)
        cells = {}
        for row, output in zip(rows, ask(model, requests, self._heard(shape, model.name)), strict=True):
            cell = AnswerCell(model=model.name, strategy="gate", n_samples=1, tokens_in=output.prompt_tokens)
            if output.error:
                cell = replace(cell, status="error", reason=output.error)
            else:
                verdict, margin = gate_label(output), gate_margin(output)
                if not (verdict == ANSWERABLE if least is None else margin > least):
                    cell = replace(cell, status="unanswerable", reason=f"gate: {verdict}", margin=margin)
            cells[row] = cell
        return cells

    def estimate(self, shape: CallShape, rows: Sequence[Tuple]) -> Estimate:
        """What ``fill`` would cost. The models are opened, for tokenizers and fingerprints, and asked nothing."""
        choice = self.settle(shape)
        if choice is None or not rows:
            return Estimate(0, 0, 0, 0.0, True)
        found = self._estimate(shape, choice, rows)
        if not _cascades(shape, choice) or len(rows) <= LEAST:
            return found
        if self._learnt(shape, choice, rows):
            return replace(found, cached=len(rows), calls=0, tokens=0, exact=True)
        if choice.proxy is None:
            return replace(found, exact=False)
        proxy = self._estimate(shape, _as_proxy(choice), rows)
        return replace(
            found, cached=0, calls=found.calls + proxy.calls, tokens=found.tokens + proxy.tokens, exact=False
        )

    def _learnt(self, shape: CallShape, choice: Choice, rows: Sequence[Tuple]) -> bool:
        """Whether a cascade over ``rows`` finds all its answers kept, as after the same query; its thresholds then."""
        if shape.options.budget is not None:
            return False
        again = replace(shape, cells={})
        try:
            with self.chooser.models.from_memory([choice.rung, *([choice.proxy] if choice.proxy else [])]):
                self._cascade(again, choice, rows)
        except NotKept:
            return False
        shape.thresholds = again.thresholds
        return True

    def _estimate(self, shape: CallShape, choice: Choice, rows: Sequence[Tuple]) -> Estimate:
        model = self.chooser.models.open(choice.rung)
        usage = self.chooser.models.usage.get(choice.rung.name)
        speed = usage.seconds / usage.tokens if usage and usage.tokens else None
        return estimate(shape, choice, model, rows, speed)

    # ── Cascade ─────────────────────────────────────────────────────────────────────────────────────────────
    def _cascade(self, shape: CallShape, choice: Choice, rows: Sequence[Tuple]) -> None:
        """The proxy scores every row; the oracle labels a sample and what the thresholds leave open.

        In one order whatever the rows' is: so the same rows lead to the same labels, which are kept, and nothing is
        asked for the second time.
        """
        rows = sorted(rows)
        recall, precision, delta = _targets(shape)
        proxied = self._proxied(shape, choice, rows)
        scored = [row for row in rows if proxied[row].status in ("ok", "abstained")]
        oracle_cells: dict[Tuple, AnswerCell] = {}

        def oracle(places: Sequence[int]) -> list[bool]:
            asked = [scored[place] for place in places]
            self._fill(shape, choice, asked)
            for row in asked:
                oracle_cells[row] = shape.cells[row]
            return [shape.cells[row].value is True for row in asked]

        done = run_cascade(
            [_probability(proxied[row]) for row in scored],
            oracle,
            Targets(recall, precision, delta),
            seed=shape.options.seed,
        )
        for row, label in zip(scored, done.labels, strict=True):
            cell = proxied[row]
            shape.cells[row] = oracle_cells.get(row) or replace(cell, value=label, status="ok", reason="")
        self._fill(shape, choice, [row for row in rows if row not in shape.cells])
        limits = done.thresholds
        shape.thresholds += f"; accept ≥ {limits.accept:.3g}, reject < {limits.reject:.3g}, oracle {done.oracle_calls}"

    def _proxied(self, shape: CallShape, choice: Choice, rows: Sequence[Tuple]) -> dict[Tuple, AnswerCell]:
        """The proxy's cells: a small rung's, or how alike two texts are, which asks nobody."""
        if choice.proxy is None:
            scored = zip(rows, likeness(rows), strict=True)
            return {row: AnswerCell(value=True, confidence=score, strategy="likeness") for row, score in scored}
        proxy = _as_proxy(choice)
        return self._ask(shape, proxy, self.chooser.models.open(proxy.rung), rows)


def _cascades(shape: CallShape, choice: Choice) -> bool:
    able = choice.proxy is not None or _of_pairs(shape)
    return shape.options.cascades and able and shape.asked.function == "ai_filter"


def _of_pairs(shape: CallShape) -> bool:
    """Whether each row gives two texts, which may be alike."""
    return shape.asked.function == "ai_filter" and shape.asked.holes == 2


def _as_proxy(choice: Choice) -> Choice:
    """The small rung alone, asked directly."""
    assert choice.proxy is not None
    return replace(choice, rung=choice.proxy, strategy="direct", proxy=None)


def _unsure(cell: AnswerCell) -> bool:
    return cell.status != "ok" or cell.confidence is None or cell.confidence < UNSURE


def _added(before: AnswerCell | None, cell: AnswerCell) -> AnswerCell:
    """``cell`` with the tokens and samples of what was asked before it."""
    if before is None:
        return cell
    return replace(
        cell,
        tokens_in=cell.tokens_in + before.tokens_in,
        tokens_out=cell.tokens_out + before.tokens_out,
        n_samples=cell.n_samples + (before.n_samples if before.strategy != "gate" else 0),
    )


def _share(question: Question, answer: Answer) -> float | None:
    """The share of the samples that conclude what the answer says; None where none were drawn."""
    if not answer.samples or answer.response is None:
        return None
    kind = type_of(question)
    said = [respond(question, text, kind, few_shot=True) for text in answer.samples]
    return said.count(answer.response) / len(said)


def _probability(cell: AnswerCell) -> float:
    """The proxy's probability of yes."""
    confidence = cell.confidence if cell.confidence is not None else 0.5
    return confidence if cell.value is not False else 1 - confidence


def _targets(shape: CallShape) -> tuple[float, float, float]:
    """Recall, precision and delta; a target that is not stated is that of the other."""
    recall, precision = shape.options.recall, shape.options.precision
    either = recall or precision or 0.9
    return recall or either, precision or either, shape.options.delta


def _thresholds(shape: CallShape) -> str:
    least = shape.options.min_confidence
    return "" if least is None else f"confidence ≥ {least:g}"


def _guarantee(shape: CallShape) -> str:
    choice = shape.choice
    if choice is None or not _cascades(shape, choice):
        return ""
    proxy = choice.proxy.name if choice.proxy is not None else "how alike the letters of the two texts are"
    recall, precision, delta = _targets(shape)
    return (
        f"recall ≥ {recall:g} and precision ≥ {precision:g} over distinct arguments, against the answers of "
        f"{choice.rung.name} (not the truth), but for probability {delta:g}; proxy {proxy}"
    )
