"""Which packages are here: what scalecurve requires, and what each extra adds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

PROJECT = "scalecurve"
EXTRAS = {
    "models": "models on this machine (torch), GGUF files, endpoints",
    "serve": "`scalecurve serve`, an endpoint for OpenAI's clients",
    "ray": "runs on the machines of a Ray cluster",
    "tensorboard": "`scalecurve export tensorboard`",
    "mlflow": "`scalecurve export mlflow`",
    "wandb": "`scalecurve export wandb`",
    "mirror": "`--mirror`, a run kept under a URL too",
    "programmatic": "two of BIG-bench's programmatic tasks",
    "adapters": "adapters of peft, merged into their base",
    "harness": "lm-evaluation-harness's own tasks, those that hold code too",
    "docs": "the site of the documentation",
    "dev": "the project's own tests",
}
DEVELOPING = ("docs", "dev")
"""Extras for those who work on scalecurve itself."""
IMPORTS = {
    "jinja2": "jinja2", "prompt-toolkit": "prompt_toolkit", "python-calamine": "python_calamine", "pyyaml": "yaml",
    "rouge-score": "rouge_score", "tomli-w": "tomli_w", "vl-convert-python": "vl_convert",
}  # fmt: skip
"""Distributions whose module has another name than they."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is wanted: what version is here ("": none), and what is asked of it, as ``>=2.4``."""

    name: str
    version: str
    wants: str

    @property
    def lacking(self) -> bool:
        return not self.version

    @property
    def old(self) -> bool:
        """Here, but not as new as is asked."""
        specifier = Requirement(f"{self.name}{self.wants}").specifier
        return bool(self.version) and not specifier.contains(self.version, prereleases=True)


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra of scalecurve, what it is for, and its packages."""

    name: str
    purpose: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> tuple[Package, ...]:
        return tuple(package for package in self.packages if package.lacking or package.old)


def required() -> tuple[Package, ...]:
    """The packages that scalecurve cannot do without; none when it is not installed but only on the path."""
    return tuple(_package(wanted) for wanted in _requirements() if wanted.marker is None or wanted.marker.evaluate())


def extras() -> tuple[Extra, ...]:
    """Every extra that this installation knows, in the order of ``EXTRAS``."""
    found: dict[str, list[Package]] = {}
    for wanted in _requirements():
        for name in EXTRAS:
            if wanted.marker and not wanted.marker.evaluate() and wanted.marker.evaluate({"extra": name}):
                found.setdefault(name, []).append(_package(wanted))
    return tuple(Extra(name, EXTRAS[name], tuple(found[name])) for name in EXTRAS if name in found)


def version_of(name: str) -> str:
    """The version of an installed distribution; "" where there is none."""
    try:
        return metadata.version(name) or ""
    except metadata.PackageNotFoundError:
        return ""


def broken(packages: Sequence[Package]) -> dict[str, str]:
    """Those that are here but cannot be imported, and why: tried in processes of their own, as some end the process."""
    names = [package.name for package in packages if not package.lacking]
    if not _import_error(names):
        return {}
    return {name: error for name in names if (error := _import_error([name]))}


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(text) for text in metadata.requires(PROJECT) or ()]
    except metadata.PackageNotFoundError:
        return []


def _package(wanted: Requirement) -> Package:
    return Package(wanted.name, version_of(wanted.name), str(wanted.specifier))


def _import_error(names: Sequence[str]) -> str:
    """Why these cannot be imported together; "" when they can."""
    code = "; ".join(f"import {IMPORTS.get(name, name)}" for name in names)
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "takes more than a minute"
    if done.returncode < 0:
        return f"ends the process with signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or ["fails"])[-1] if done.returncode else ""
