"""Answers for many rows of one shape: chosen model, gate, strategy, cascade, budget; and what that would cost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scalecurve.asking import ask, drive
from scalecurve.models import constrains, scores
from scalecurve.nouns import Answer, Rung, UserError
from scalecurve.prompts import Question, get_strategy
from scalecurve.prompts.gate import ANSWERABLE, dismissal_request, gate_label, gate_margin, gate_request
from scalecurve.prompts.render import build_prompt
from scalecurve.prompts.typed import respond, type_of
from scalecurve.query.calls import Cell, Tuple, cell_of, question_of
from scalecurve.query.cascade import Targets, run_cascade
from scalecurve.query.choose import Choice, Chooser
from scalecurve.query.shapes import Shape

if TYPE_CHECKING:
    from scalecurve.models.cached import CachedModel

log = logging.getLogger("scalecurve")

TOGETHER = 2048  # rows whose requests are built and held at once
UNSURE = 0.5  # confidence below which ``auto`` writes out steps
DISMISSALS = {"lab-": "unknown"}
"""Models, by the beginning of their names, that have learnt what to say to a question without an answer."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking would cost, nothing asked: ``cached`` rows, calls and tokens at most, seconds where known."""

    cached: int
    calls: int
    tokens: int
    seconds: float | None
    exact: bool


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

    def settle(self, shape: Shape) -> Choice | None:
        """The shape's choice, made once."""
        if not shape.chosen:
            shape.choice, shape.chosen = self.chooser.choose(shape.options), True
            shape.thresholds = _thresholds(shape)
            shape.guarantee = _guarantee(shape)
        return shape.choice

    def fill(self, shape: Shape, rows: Sequence[Tuple]) -> None:
        """A cell for every one of ``rows`` that has none yet."""
        new = [row for row in dict.fromkeys(rows) if row not in shape.cells]
        choice = self.settle(shape)
        if not new:
            return
        if choice is None:
            abstained = Cell(status="abstained", reason="no rung passes min_accuracy")
            shape.cells.update(dict.fromkeys(new, abstained))
        elif choice.proxy is not None and shape.asked.function == "ai_filter":
            self._cascade(shape, choice, new)
        else:
            self._fill(shape, choice, new)
        least = shape.options.min_confidence
        for row in new if least is not None else ():
            cell = shape.cells[row]
            if cell.status == "ok" and (cell.confidence is None or cell.confidence < least):
                shape.cells[row] = replace(cell, value=None, status="abstained", reason="below min_confidence")

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────
    def _fill(self, shape: Shape, choice: Choice, rows: Sequence[Tuple]) -> None:
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
            shape.cells.update(dict.fromkeys(left, Cell(status="abstained", reason="the budget is used up")))

    def _affordable(
        self, shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple], tokens: int
    ) -> list[Tuple]:
        """The first of ``rows`` that surely cost no more than ``tokens`` together."""
        kept = []
        for row in rows:
            tokens -= self._dearest(shape, choice, model, row)
            if tokens < 0:
                break
            kept.append(row)
        return kept

    def _dearest(self, shape: Shape, choice: Choice, model: CachedModel, row: Tuple) -> int:
        """Most tokens that one row can cost; a sequence may begin and end with special tokens."""
        question = self._question(shape, model, row)
        prompt = model.count_tokens(build_prompt(question.task, question.query.example)) + 2
        written = question.max_tokens + 2
        gate = 0
        if shape.options.gate:
            gate = prompt if _dismissal(choice.rung) else model.count_tokens(gate_request(row[0]).prompt) + 2
        direct = prompt + (0 if "options" in question.wants else written)
        steps = 2 * prompt + 3 * (question.max_tokens + 40)
        chain = prompt + question.max_tokens + 40
        return gate + {
            "direct": direct,
            "cot": steps,
            "auto": direct + (steps + choice.samples * chain if choice.steps else 0),
        }.get(choice.strategy, choice.samples * chain)

    def _ask(self, shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]) -> dict[Tuple, Cell]:
        """Cells of ``rows``: the gate first where it is on, then the strategy, or for auto one after the other."""
        cells: dict[Tuple, Cell] = {}
        if shape.options.gate and shape.asked.function in ("ai_ask", "ai_extract", "cell"):
            cells = self._gate(shape, choice, model, rows)
        refused = {row for row, cell in cells.items() if cell.status != "ok"}
        open_rows = [row for row in rows if row not in refused]
        if shape.asked.function == "ai_complete" or choice.strategy == "direct":
            answered = self._with(shape, choice, model, open_rows, "direct", "direct")
        elif choice.strategy == "cot":
            answered = self._with(shape, choice, model, open_rows, choice.steps, "cot")
        elif choice.strategy == "auto":
            answered = self._auto(shape, choice, model, open_rows)
        else:
            answered = self._votes(shape, choice, model, open_rows)
        return {row: _added(cells.get(row), answered[row]) if row in answered else cells[row] for row in rows}

    def _auto(self, shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]) -> dict[Tuple, Cell]:
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

    def _votes(self, shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]) -> dict[Tuple, Cell]:
        settings = {"samples": max(choice.samples, 1), "adaptive": True, "max_tokens": 128}
        return self._with(shape, choice, model, rows, "self_consistency", f"sc({choice.samples})", settings)

    def _with(
        self,
        shape: Shape,
        choice: Choice,
        model: CachedModel,
        rows: Sequence[Tuple],
        strategy: str,
        called: str,
        settings: Mapping[str, Any] | None = None,
    ) -> dict[Tuple, Cell]:
        """Cells of ``rows`` by one strategy, asked side by side."""
        if not rows:
            return {}
        more = dict(settings or ({} if strategy == "direct" else {"max_tokens": 128}))
        questions = [self._question(shape, model, row, more) for row in rows]
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

    def _question(
        self, shape: Shape, model: CachedModel, row: Tuple, settings: Mapping[str, Any] | None = None
    ) -> Question:
        grammar = shape.asked.kind.grammar if constrains(model) else ""
        base = {"seed": shape.options.seed, "grammar": grammar}
        return question_of(shape.asked, shape.values(row), {**base, **(settings or {})}, scored=scores(model))

    def _heard(self, shape: Shape, model: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        return None if progress is None else lambda done, total: progress(f"{model}: {shape.label}", done, total)

    def _gate(self, shape: Shape, choice: Choice, model: CachedModel, rows: Sequence[Tuple]) -> dict[Tuple, Cell]:
        """For each row, whether its question can be answered at all."""
        dismissal = _dismissal(choice.rung)
        requests = []
        for row in rows:
            question = self._question(shape, model, row)
            text = question.query.example.input
            prompt = build_prompt(question.task, question.query.example)
            requests.append(dismissal_request(prompt, dismissal) if dismissal else gate_request(text))
        least = self.gates.get(choice.rung.name)
        cells = {}
        for row, output in zip(rows, ask(model, requests, self._heard(shape, model.name)), strict=True):
            cell = Cell(model=model.name, strategy="gate", n_samples=1, tokens_in=output.prompt_tokens)
            if output.error:
                cell = replace(cell, status="error", reason=output.error)
            else:
                verdict = gate_label(output)
                open_ = verdict == ANSWERABLE if least is None else gate_margin(output) > least
                if not open_:
                    cell = replace(cell, status="unanswerable", reason=f"gate: {verdict}", margin=gate_margin(output))
            cells[row] = cell
        return cells

    # ── Cascade ─────────────────────────────────────────────────────────────────────────────────────────────
    def _cascade(self, shape: Shape, choice: Choice, rows: Sequence[Tuple]) -> None:
        """The proxy scores every row; the oracle labels a sample and what the thresholds leave open."""
        assert choice.proxy is not None
        recall, precision, delta = _targets(shape)
        proxy_choice = replace(choice, rung=choice.proxy, strategy="direct")
        proxied = self._ask(shape, proxy_choice, self.chooser.models.open(choice.proxy), rows)
        scored = [row for row in rows if proxied[row].status in ("ok", "abstained")]
        oracle_cells: dict[Tuple, Cell] = {}

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

    # ── Estimating ──────────────────────────────────────────────────────────────────────────────────────────
    def estimate(self, shape: Shape, rows: Sequence[Tuple]) -> Estimate:
        """What ``fill`` would cost. The models are opened, for their tokenizers and fingerprints, and asked nothing."""
        choice = self.settle(shape)
        if choice is None or not rows:
            return Estimate(0, 0, 0, 0.0, True)
        model = self.chooser.models.open(choice.proxy or choice.rung)
        name = choice.steps if choice.strategy == "cot" else "direct"
        settings = {} if name == "direct" else {"max_tokens": 128}
        open_calls, cached, tokens = 0, 0, 0
        for begin in range(0, len(rows), TOGETHER):
            for question, left in self._outstanding(shape, model, rows[begin : begin + TOGETHER], name, settings):
                open_calls += left
                cached += not left
                if left:
                    prompt = build_prompt(question.task, question.query.example)
                    tokens += left * model.count_tokens(prompt) + (
                        question.max_tokens if _writes(question, name) else 0
                    )
        simple = not shape.options.gate and choice.proxy is None and choice.strategy in ("direct", "cot")
        if shape.options.gate:
            open_calls += len(rows)
        if choice.proxy is not None:
            open_calls += len(rows)
        most = {"direct": 1, "cot": 1}.get(choice.strategy, choice.samples or 1)
        if choice.strategy == "auto" and choice.steps:
            open_calls, most = open_calls * (3 + choice.samples), 1
        exact = simple and (name != "self_consistency") and shape.options.budget is None
        usage = self.chooser.models.usage.get(choice.rung.name)
        speed = usage.seconds / usage.tokens if usage and usage.tokens else None
        return Estimate(cached, open_calls * most, tokens * most, None if speed is None else speed * tokens, exact)

    def _outstanding(
        self, shape: Shape, model: CachedModel, rows: Sequence[Tuple], strategy: str, settings: Mapping[str, Any]
    ) -> list[tuple[Question, int]]:
        """For each row, its question and the calls that are not in the cache: after an unknown one, all of them."""
        found = []
        questions = [self._question(shape, model, row, settings) for row in rows]
        firsts = [next(get_strategy(strategy)(question)) for question in questions]
        flat = [request for requests in firsts for request in requests]
        known = iter(model.known(flat))
        for question, requests in zip(questions, firsts, strict=True):
            hits = [next(known) for _ in requests]
            stages = 1 if strategy == "direct" else _stages(question, strategy)
            if None in hits:
                found.append((question, stages))
            elif stages == 1:
                found.append((question, 0))
            else:
                generator = get_strategy(strategy)(question)
                next(generator)
                try:
                    second = generator.send(tuple(hit for hit in hits if hit is not None))
                except StopIteration:
                    found.append((question, 0))
                    continue
                found.append((question, sum(hit is None for hit in model.known(second))))
        return found


def _stages(question: Question, strategy: str) -> int:
    """Calls of one row: steps, then the answer; a chain whose answer is read out of it is one call."""
    return 1 if strategy == "chain_of_thought" and "options" not in question.wants else 2


def _writes(question: Question, strategy: str) -> bool:
    return strategy != "direct" or "options" not in question.wants


def _unsure(cell: Cell) -> bool:
    return cell.status != "ok" or cell.confidence is None or cell.confidence < UNSURE


def _added(before: Cell | None, cell: Cell) -> Cell:
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


def _dismissal(rung: Rung) -> str:
    return next((text for begin, text in DISMISSALS.items() if rung.name.startswith(begin)), "")


def _probability(cell: Cell) -> float:
    """The proxy's probability of yes."""
    confidence = cell.confidence if cell.confidence is not None else 0.5
    return confidence if cell.value is not False else 1 - confidence


def _targets(shape: Shape) -> tuple[float, float, float]:
    """Recall, precision and delta; a target that is not stated is that of the other."""
    recall, precision = shape.options.recall, shape.options.precision
    either = recall or precision or 0.9
    return recall or either, precision or either, shape.options.delta


def _thresholds(shape: Shape) -> str:
    least = shape.options.min_confidence
    return "" if least is None else f"confidence ≥ {least:g}"


def _guarantee(shape: Shape) -> str:
    choice = shape.choice
    if choice is None or choice.proxy is None or shape.asked.function != "ai_filter":
        return ""
    recall, precision, delta = _targets(shape)
    return (
        f"recall ≥ {recall:g} and precision ≥ {precision:g} over distinct arguments, against the answers of "
        f"{choice.rung.name} (not the truth), but for probability {delta:g}; proxy {choice.proxy.name}"
    )
