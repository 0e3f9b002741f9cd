"""``scalecurve doctor``: what is installed, what this machine can do, and what to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scalecurve.cli._app import app
from scalecurve.cli._print import Json

if TYPE_CHECKING:
    from scalecurve.doctor import Checkup


@app.command()
def doctor(
    speed: Annotated[bool, typer.Option("--speed/--no-speed", help="Measure how fast the machine multiplies.")] = True,
    as_json: Json = False,
) -> None:
    """Check the installation and the machine; ends with 1 when something that is required is not well."""
    from scalecurve.cli import _print
    from scalecurve.doctor import checkup

    found = checkup(speed=speed)
    print(_print.as_json(_record(found)) if as_json else _text(found))
    if not found.ok:
        raise typer.Exit(1)


def _record(found: Checkup) -> dict[str, object]:
    from dataclasses import asdict

    return {"ok": found.ok} | asdict(found)


def _text(found: Checkup) -> str:
    return "\n\n".join(filter(None, (_installed(found), _machine(found), _paces(found), _findings(found))))


def _installed(found: Checkup) -> str:
    from scalecurve.cli._print import table

    extras = [
        (extra.name, "–" if len(extra.missing) == len(extra.packages) else "partly" if extra.missing else "✓",
         extra.purpose, ", ".join(f"{one.name} {one.version}" for one in extra.packages if one.version))
        for extra in found.extras
    ]  # fmt: skip
    torch = f"torch {found.torch}" if found.torch else "without torch"
    bigbench = f"BIG-bench in {found.bigbench}" if found.bigbench else "BIG-bench is not installed"
    lines = [f"scalecurve {found.version}, Python {found.python}, {torch}", bigbench]
    if extras:
        lines.append(table(("extra", "", "for", "installed"), extras))
    return "\n".join(lines)


def _machine(found: Checkup) -> str:
    machine = found.machine
    of = f" of {machine.cores_in_all}" if machine.cores != machine.cores_in_all else ""
    lines = [machine.system, f"{machine.cpu}, {machine.cores:g}{of} cores"]
    lines.append(f"memory {_gigabytes(machine.memory)}, {_gigabytes(machine.memory_available)} available")
    lines += [f"{gpu.name}, memory {_gigabytes(gpu.memory)} ({gpu.by})" for gpu in machine.gpus]
    lines += [] if machine.gpus else ["no graphics card"]
    for place in machine.places:
        no = "" if place.writable else ", cannot be written"
        lines.append(f"{place.what}: {place.path}, {_gigabytes(place.free)} free{no}")
    return "\n".join(lines)


def _gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.3g} GB"


def _paces(found: Checkup) -> str:
    from scalecurve.cli._print import amount, duration, table

    if found.speed is None:
        return ""
    if found.speed.one_thread is None or found.speed.all_threads is None:
        return "speed could not be measured"
    rates = f"{found.speed.one_thread / 1e9:.0f} GFLOP/s on one thread, {found.speed.all_threads / 1e9:.0f} on all"
    rows = [
        (pace.model, amount(pace.parameters), amount(pace.tokens_per_second), duration(pace.seconds))
        for pace in found.speed.paces
    ]
    headers = ("about, on the processor", "parameters", "tokens/s", "1,000 questions of 100 tokens")
    return f"multiplies float32 at {rates}\n{table(headers, rows, right=(1, 2, 3))}"


def _findings(found: Checkup) -> str:
    if not found.findings:
        return "all is well"
    lines = [f"{'✗' if one.required else '·'} {one.what}\n    {one.fix}" for one in found.findings]
    return "\n".join([*lines, "all that is required is well" if found.ok else "what is marked ✗ is required"])
