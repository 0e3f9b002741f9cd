"""``scalecurve think``: ask with two systems, fit what decides between them, and judge it on a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scalecurve.cli import _complete
from scalecurve.cli._app import app
from scalecurve.cli._options import Device, Dtype
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.routing import Inquiry, RungReport
    from scalecurve.routing.trace import Step, Trace


class _AskByDefault(TyperGroup):
    """``think "a question"`` is ``think ask "a question"``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = (*self.commands, "-h", "--help")
        return super().parse_args(ctx, ["ask", *args] if args and args[0] not in known else args)


think = typer.Typer(help="Two systems: answer fast, think slowly where it pays.", no_args_is_help=True,
                    rich_markup_mode=None)  # fmt: skip
app.add_typer(think, name="think", cls=_AskByDefault)

Fast = Annotated[str, typer.Option(help="Strategy of fast answers.")]
Slow = Annotated[str, typer.Option(help="Strategy of slow answers.")]
Metric = Annotated[str | None, typer.Option(help="0/1 metric; each task's preferred one when not given.")]


@think.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question.")],
    model: Annotated[
        list[str],
        typer.Option(
            help="Model that answers; repeat for larger ones it may ask, in order.", autocompletion=_complete.models
        ),
    ],
    controller: Annotated[Path | None, typer.Option(help="What decides: a file of `think fit`.")] = None,
    below: Annotated[float | None, typer.Option(help="Or: think slowly below this confidence (0-1).")] = None,
    option: Annotated[list[str] | None, typer.Option(help="An answer to choose from. Repeatable.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Ask as this task does, e.g. lab:addition:3_digits.", autocompletion=_complete.tasks),
    ] = None,
    shots: Annotated[int, typer.Option(min=0, help="Answered examples of the task before the question.")] = 0,
    gate: Annotated[bool, typer.Option(help="Refuse what the controller's gate holds unanswerable.")] = True,
    abstain_below: Annotated[float | None, typer.Option(help="Withhold answers less sure than this (0-1).")] = None,
    fast: Annotated[str, typer.Option(help="Strategy of fast answers; the controller's when not given.")] = "",
    slow: Annotated[str, typer.Option(help="Strategy of slow answers; the controller's when not given.")] = "",
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest text.")] = 256,
    device: Device = "auto",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """Answer a question; every step is told on standard error as it is done, the answer on standard output."""
    from dataclasses import asdict

    from scalecurve.cli import _print
    from scalecurve.cli._interrupt import prompt_interrupt
    from scalecurve.errors import UserError
    from scalecurve.routing import Thinker, threshold

    if controller is not None and below is not None:
        raise UserError("think: give --controller or --below, not both")
    decides = controller if below is None else threshold(below)
    tell = _StepPrinter(quiet=as_json)
    with (
        prompt_interrupt(),
        Thinker(model, decides, gate=gate, fast=fast, slow=slow, abstain_below=abstain_below, device=device,
                dtype=dtype) as thinker,
    ):  # fmt: skip
        inquiry = _inquiry(question, tuple(option or ()), task, shots, max_tokens)
        trace = thinker.ask([inquiry], on_step=lambda _, step: tell(step))[0]
    if as_json:
        totals = {name: getattr(trace, name) for name in ("prompt_tokens", "generated_tokens", "slow_tokens")}
        print(_print.as_json(asdict(trace) | totals))
    else:
        tell.end(trace)
        print(trace.response) if trace.status == "ok" else None
    if trace.status != "ok":
        raise typer.Exit(1)


def _inquiry(text: str, options: tuple[str, ...], task: str | None, shots: int, max_tokens: int) -> Inquiry:
    """The question as the task asks, with its shots, or plainly."""
    from scalecurve.errors import UserError
    from scalecurve.routing import Inquiry

    if task is None:
        if shots:
            raise UserError("--shots: come from a task; give --task too")
        return Inquiry(text, options, max_tokens=max_tokens)
    from scalecurve.strategies import draw
    from scalecurve.study.task_plan import task_ref
    from scalecurve.tasks import load_tasks

    leaves = load_tasks(task)
    if len(leaves) > 1:
        raise UserError(f"--task: {task} has {len(leaves)} parts; name one, as {task_ref(leaves[0])}")
    shown = draw(leaves[0], shots, "fixed", limit=1)[0].shots if shots else ()
    return Inquiry(text, options, shown, leaves[0], task_ref(leaves[0]), max_tokens)


class _StepPrinter:
    """Steps on standard error, a line each."""

    def __init__(self, quiet: bool) -> None:
        import sys

        from scalecurve.cli._plain import console

        self._console = console(sys.stderr, highlight=False, quiet=quiet)

    def __call__(self, step: Step) -> None:
        from rich.text import Text

        from scalecurve.cli._plain import plain

        sure = "" if step.confidence is None else f"{step.confidence:.2f}"
        spent = f"{step.generated_tokens} tokens" if step.generated_tokens else ""
        line = Text(f"{step.stage:<7}", style="bold cyan" if step.stage != "settle" else "bold green")
        line.append(f"{plain(step.who):<14} ", style="dim")
        line.append(f"{step.response!r:<18} " if step.response else " " * 19)
        self._console.print(line.append(f"{sure:>5}  {spent:<11}").append(plain(step.why), style="dim"), soft_wrap=True)

    def end(self, trace: Trace) -> None:
        from scalecurve.cli._plain import plain

        if trace.status != "ok":
            self._console.print(f"no answer: {plain(trace.error or trace.status)}", style="bold red", markup=False)
        said = (
            f"{trace.generated_tokens} tokens written, {trace.slow_tokens} of them thinking; {trace.prompt_tokens} read"
        )
        self._console.print(said, style="dim", markup=False)


@think.command()
def fit(
    run: Annotated[
        Path,
        typer.Argument(
            help="Run directory with fast and slow answers to the same questions.", autocompletion=_complete.runs
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("controller.json"),
    kind: Annotated[str, typer.Option(help="thrifty, learned or calibrated.")] = "thrifty",
    tokens: Annotated[float | None, typer.Option(help="Budget of generated tokens a mean question.")] = None,
    larger: Annotated[str, typer.Option(help="Rung that smaller ones may ask.")] = "",
    false_refusal: Annotated[
        float | None, typer.Option(help="Share of answerable questions that a gate may refuse.")
    ] = None,
    fast: Fast = "direct",
    slow: Slow = "chain_of_thought",
    metric: Metric = None,
    as_json: Json = False,
) -> None:
    """Fit what decides when to think, for every rung of a run, and keep it in a file."""
    from scalecurve.cli import _print
    from scalecurve.routing import fit_run, read_run_pairs, replay, save_controllers
    from scalecurve.store import open_run

    directory = open_run(run)
    made = fit_run(directory, kind=kind, fast=fast, slow=slow, metric=metric, tokens=tokens, larger=larger,
                   false_refusal=false_refusal)  # fmt: skip
    names = ("fast", "slow", "controller", "slow_share", "tokens")
    rows: list[dict[str, Any]] = []
    for rung, controller in made.rungs.items():
        pairs = read_run_pairs(directory, rung, fast, slow, metric)
        found, gate = replay(controller, pairs, replicates=2), made.gate(rung)
        each = (pairs.fast.mean(), pairs.slow.mean(), found.accuracy.value, found.deferred, found.share.value)
        values = dict(zip(names, map(float, each), strict=True))
        refused = {name: None if gate is None else getattr(gate, name) for name in ("false_refusal", "recall")}
        rows.append({"rung": rung, "items": len(pairs), **values, **refused})
    save_controllers(made, out)
    if as_json:
        print(_print.as_json(rows))
        return
    headers = ("rung", "items", "fast", "slow", "controller", "slow share", "tokens", "gate refuses", "and rightly")
    shown = [_fit_line(row, made.gate(row["rung"]) is not None) for row in rows]
    print(_print.table(headers, shown, right=range(1, len(headers))))
    print(f"on the items it was fitted on, hence flattering; `scalecurve think evaluate {run}` holds half of them out")
    print(out)


def _fit_line(row: dict[str, Any], gated: bool) -> list[str]:
    from scalecurve.cli._print import number

    refused = [number(row[name], 2) if gated else "" for name in ("false_refusal", "recall")]
    scores = [number(row[name]) for name in ("fast", "slow", "controller", "slow_share", "tokens")]
    return [row["rung"], str(row["items"]), *scores, *refused]


@think.command()
def evaluate(
    run: Annotated[
        Path,
        typer.Argument(
            help="Run directory with fast and slow answers to the same questions.", autocompletion=_complete.runs
        ),
    ],
    rung: Annotated[list[str] | None, typer.Option(help="Only this rung. Repeatable.")] = None,
    fast: Fast = "direct",
    slow: Slow = "chain_of_thought",
    metric: Metric = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the halves and the bootstrap.")] = 0,
    chart: Annotated[Path | None, typer.Option(help="Also draw the fronts: a .svg, .png or .pdf file.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the chart: en or zh.")] = "en",
    as_json: Json = False,
) -> None:
    """Accuracy against tokens on a held-out half: controllers, baselines, larger rungs, the oracle; over scale."""
    import sys
    from dataclasses import asdict

    from scalecurve.cli import _print
    from scalecurve.routing import evaluate_run
    from scalecurve.store import open_run

    found = evaluate_run(open_run(run), fast=fast, slow=slow, metric=metric, rungs=rung or (), seed=seed)
    if as_json:
        print(_print.as_json(found))
    else:
        for report in found:
            print(_report(report))
        print(_over_scale(found))
    if chart is not None:
        from scalecurve.report.figures import save
        from scalecurve.report.pareto import draw_fronts

        drawn = save(draw_fronts([asdict(report) for report in found], lang), chart)
        print(drawn, file=sys.stderr if as_json else sys.stdout)


def _report(report: RungReport) -> str:
    from scalecurve.cli._print import amount, number, table
    from scalecurve.routing import front

    best = front([one for one in report.outcomes if one.name not in ("oracle", "least")])
    rows = [
        [
            one.name,
            number(one.accuracy.value),
            f"{number(one.accuracy.low)} to {number(one.accuracy.high)}",
            number(one.tokens.value, 1),
            number(one.share.value, 2),
            number(one.work.value, 0),
            number(one.deferred, 2),
            f"{one.over_slow.value:+.3f} ({one.over_slow.low:+.3f} to {one.over_slow.high:+.3f})",
            f"{one.over_best.value:+.3f} ({one.over_best.low:+.3f} to {one.over_best.high:+.3f})",
            "*" if one in best else "",
        ]
        for one in sorted(report.outcomes, key=lambda one: one.tokens.value)
    ]
    headers = (f"{report.rung} ({amount(report.params)}, {report.n} held out)", "accuracy", "95%", "tokens", "of slow",
               "work", "deferred", "over slow", "over the better", "front")  # fmt: skip
    return table(headers, rows, right=(1, 3, 4, 5, 6)) + "\n"


def _over_scale(found: list[RungReport]) -> str:
    from scalecurve.cli._print import amount, number, table

    rows = [
        [
            one.rung,
            amount(one.params),
            *(number(value) for value in (one.flips.fast, one.flips.slow, one.flips.fixed, one.flips.broken)),
            f"{number(one.control.value)} ({number(one.control.low)} to {number(one.control.high)})",
            f"{number(one.doubt.value)} ({number(one.doubt.low)} to {number(one.doubt.high)})",
            *(number(value) for value in (*one.calibration, one.selective, one.risk)),
        ]
        for one in found
    ]
    headers = ("rung", "size", "fast", "slow", "fixed", "broken", "AUROC gain", "AUROC doubt", "ECE raw", "ECE fast",
               "ECE last", "top 80%", "AURC")  # fmt: skip
    return table(headers, rows, right=(1, 2, 3, 4, 5, 8, 9, 10, 11, 12))
