"""The whole checkup, and what it finds to mend."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scalecurve._version import __version__
from scalecurve.doctor.machine import Machine, look
from scalecurve.doctor.packages import DEVELOPING, PROJECT, Extra, Package, broken, extras, required, version_of
from scalecurve.doctor.speed import Speed, measure

PYTHON = (3, 11)
ROOM = 2 * 10**9
"""Bytes that should be free where runs and answers are kept."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend, and how. ``required``: scalecurve does not work as it should until it is done."""

    required: bool
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What is installed, the machine, its speed (None: not measured) and the findings, the required ones first."""

    version: str
    python: str
    torch: str
    packages: tuple[Package, ...]
    extras: tuple[Extra, ...]
    bigbench: Path | None
    machine: Machine
    speed: Speed | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all that is required is well."""
        return not any(finding.required for finding in self.findings)


def checkup(*, speed: bool = True) -> Checkup:
    """Look at everything; ``speed`` also measures how fast the machine multiplies, which takes a second or two."""
    from scalecurve.models.fingerprint import cache_folder
    from scalecurve.tasks import bigbench

    cache = bigbench.cache_dir()
    packages, others = required(), tuple(extra for extra in extras() if extra.name not in DEVELOPING)
    machine = look({"runs": Path.cwd() / "runs", "cache": cache_folder(), "BIG-bench": cache})
    installed = cache if os.path.isfile(cache / bigbench.INDEX) else None
    return Checkup(
        version=__version__,
        python=platform.python_version(),
        torch=version_of("torch"),
        packages=packages,
        extras=others,
        bigbench=installed,
        machine=machine,
        speed=measure() if speed else None,
        findings=findings(packages, others, machine, installed),
    )


def findings(
    packages: tuple[Package, ...], others: tuple[Extra, ...], machine: Machine, bigbench: Path | None
) -> tuple[Finding, ...]:
    """What there is to mend, what is required first."""
    found = [
        *_python(packages),
        *_packages(packages),
        *_extras(others),
        *_places(machine),
        *_gpu(machine),
        *_threads(machine),
        *_clock(machine),
        *_bigbench(bigbench),
    ]
    return tuple(sorted(found, key=lambda finding: not finding.required))


def _pip(*wanted: str) -> str:
    return f"{sys.executable} -m pip install {' '.join(map(repr, wanted))}"


def _python(packages: tuple[Package, ...]) -> Iterator[Finding]:
    if sys.version_info < PYTHON:
        least = ".".join(map(str, PYTHON))
        yield Finding(True, f"Python {platform.python_version()} is too old", f"install Python {least} or newer")
    if not packages:
        yield Finding(True, "scalecurve is on the path but not installed, so its packages are unknown", _pip(PROJECT))


def _packages(packages: tuple[Package, ...]) -> Iterator[Finding]:
    for package in packages:
        if package.lacking:
            yield Finding(True, f"{package.name} is not installed", _pip(f"{package.name}{package.wants}"))
        elif package.old:
            what = f"{package.name} {package.version} is not {package.wants}"
            yield Finding(True, what, _pip(f"{package.name}{package.wants}"))
    for name, error in broken(packages).items():
        fix = f"{sys.executable} -m pip install --force-reinstall {name}"
        yield Finding(True, f"{name} is installed but cannot be imported: {error}", fix)


def _extras(others: tuple[Extra, ...]) -> Iterator[Finding]:
    for extra in others:
        if extra.missing and len(extra.missing) < len(extra.packages):
            lacks = ", ".join(f"{one.name}{one.wants}" + (f" (is {one.version})" * one.old) for one in extra.missing)
            yield Finding(False, f"extra {extra.name} lacks {lacks}", _pip(f"{PROJECT}[{extra.name}]"))
    absent = [extra.name for extra in others if len(extra.missing) == len(extra.packages)]
    if absent:
        what = f"extras not installed: {', '.join(absent)}; install those you want"
        yield Finding(False, what, _pip(f"{PROJECT}[{','.join(absent)}]"))


def _places(machine: Machine) -> Iterator[Finding]:
    for place in machine.places:
        if not place.writable:
            move = {
                "runs": "change to a directory of yours, or give --out",
                "cache": "make it writable, or set SCALECURVE_CACHE to a directory of yours",
                "BIG-bench": "make it writable, or set SCALECURVE_BIGBENCH to a directory of yours",
            }[place.what]
            yield Finding(place.what == "cache", f"{place.what}: {place.path} cannot be written", move)
        elif place.free is not None and place.free < ROOM:
            what = f"{place.what}: {place.free / 1e9:.1f} GB are free at {place.path}"
            yield Finding(False, what, "free some; a run of many models and examples takes gigabytes")


def _gpu(machine: Machine) -> Iterator[Finding]:
    torch = version_of("torch")
    if machine.gpus and torch and machine.gpus[0].by == "cuda" and not _cuda():
        name = machine.gpus[0].name
        fix = f"{sys.executable} -m pip install --force-reinstall torch, from an index with CUDA builds"
        yield Finding(False, f"torch {torch} cannot use the {name}", fix)


def _cuda() -> bool:
    """Whether torch sees a card; asked in a process of its own, as torch is slow to import and may fail to."""
    import subprocess

    code = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    try:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _threads(machine: Machine) -> Iterator[Finding]:
    cores = max(1, int(machine.cores))
    given = {name: value for name, value in machine.threads.items() if name != "POLARS_MAX_THREADS"}
    said = ", ".join(f"{name}={value}" for name, value in machine.threads.items())
    wrong = [name for name, value in machine.threads.items() if not value.isdigit() or value == "0"]
    numbers = {int(value) for value in given.values() if value.isdigit()}
    if wrong:
        yield Finding(False, f"{wrong[0]}={machine.threads[wrong[0]]} is no number of threads", f"unset {wrong[0]}")
    elif len(numbers) > 1:
        yield Finding(False, f"settings of threads differ: {said}", "set them all alike, or unset them")
    elif any(int(value) > machine.cores for value in machine.threads.values()):
        yield Finding(False, f"more threads than the {machine.cores:g} usable cores: {said}", f"set them to {cores}")
    elif not given and machine.cores < _seen():
        what = f"{machine.cores:g} of {_seen()} cores may be used, which libraries do not see"
        yield Finding(False, what, f"export OMP_NUM_THREADS={cores}")


def _seen() -> int:
    """Cores that libraries take for theirs: those of the affinity, whatever the quota."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _clock(machine: Machine) -> Iterator[Finding]:
    if machine.clock_behind > DAY:
        what = f"the clock is {machine.clock_behind / DAY:.0f} days behind the files of this installation"
        yield Finding(False, what, "set the clock; runs record it, and connections to servers may fail")


def _bigbench(installed: Path | None) -> Iterator[Finding]:
    if installed is None:
        yield Finding(False, "BIG-bench is not installed", "scalecurve tasks install bigbench")
