"""Ladders: families of models, read from TOML files that list their rungs.

    family = "pythia"
    source = "where the numbers come from"
    axes = ["params_non_embedding", "training_flops"]
    [[rung]]
    name = "pythia-70m"
    backend = "transformers"
    location = "EleutherAI/pythia-70m"      # a local location is relative to the file: "./weights" or "weights"
    params_non_embedding = 18_915_328
    training_tokens = 299_892_736_000
    [checkpoints]                            # optional: states of every rung on the way, as revisions of its location
    revision = "step{step}"
    tokens_per_step = 2_097_152
    steps = [0, 1, 2, 4]

``checkpoints:pythia-70m`` is then the ladder of that rung's states, and ``checkpoints:FOLDER`` that of the checkpoints
which training wrote into a folder.

A missing ``training_flops`` is 6 × non-embedding parameters × tokens (Kaplan et al. 2020, arXiv:2001.08361, §2.1),
and the rung's notes say so.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.models.checkpoints import checkpoint_ladder
from scalecurve.schema import AXES
from scalecurve.types import Ladder, Rung
from scalecurve.util.guard import regular
from scalecurve.util.text import did_you_mean

PACKAGED_GGUF = ("smollm2-135m", "gemma3-270m")
LAB = {
    "lab": "ladder.toml",
    "lab-seed1": "ladder-seed1.toml",
    "lab-seed2": "ladder-seed2.toml",
    "lab-checkpoints": "checkpoints.toml",
    "lab-109k-checkpoints": "checkpoints-109k.toml",
}
FIELDS = ("family", "source", "description", "axes", "rung", "checkpoints")
_INTEGERS = ("params_non_embedding", "params_total", "training_tokens", "step")
_NUMBERS = ("training_flops", "epoch", "loss")


def _families() -> Path:
    return Path(str(files("scalecurve.models"))) / "families"


def _lab_weights() -> Path:
    return Path(str(files("scalecurve"))) / "lab" / "weights"


def list_ladders() -> tuple[str, ...]:
    """Names of the ladders that come with scalecurve."""
    lab = [name for name, file in LAB.items() if (_lab_weights() / file).is_file()]
    return (*lab, *sorted(path.stem for path in _families().glob("*.toml")))


def is_ladder(ref: str) -> bool:
    """Whether ``ref`` names a ladder or is a family file."""
    return ref in list_ladders() or ref in LAB or ref.startswith("checkpoints:") or ref.endswith(".toml")


def load_ladder(ref: str) -> Ladder:
    """A ladder by name, by the path of its family file, ``checkpoints:RUNG`` (a shipped rung's training), or
    ``checkpoints:FOLDER`` (a folder of checkpoints; see ``scalecurve.models.checkpoints``).

    Raises ``UserError`` naming the file, the field and the fix.
    """
    if ref.startswith("checkpoints:") and ref != "checkpoints:lab":
        name = ref.removeprefix("checkpoints:")
        return checkpoint_ladder(Path(name)) if "/" in name or Path(name).is_dir() else _checkpoints(name)
    return read_family(_file_of(ref), ref)


def _checkpoints(name: str) -> Ladder:
    """The ladder of the states that a rung went through in training."""
    rungs: dict[str, tuple[Rung, dict[str, object], Path]] = {}
    for known in list_ladders():
        path = _file_of(known)
        table = _table(path).get("checkpoints")
        if isinstance(table, dict) and table:
            rungs |= {rung.name: (rung, table, path) for rung in read_family(path, known).rungs}
    if name not in rungs:
        raise UserError(f"checkpoints:{name}: no checkpoints are known; {_close(name, tuple(rungs))}")
    rung, table, path = rungs[name]
    steps, each, form = table.get("steps"), table.get("tokens_per_step"), table.get("revision")
    whole = isinstance(each, int) and isinstance(steps, list) and all(isinstance(step, int) for step in steps)
    if not isinstance(steps, list) or not whole or not isinstance(form, str) or "{step}" not in form:
        raise UserError(f'{path}: checkpoints: give steps, tokens_per_step and revision = "step{{step}}"')
    states = [
        with_flops(
            replace(rung, name=f"{name}-step{step}", revision=form.replace("{step}", str(step)), step=step,
                    training_tokens=step * each, training_flops=None, notes=())
        )
        for step in sorted(steps)
    ]  # fmt: skip
    return Ladder(f"{name}-checkpoints", tuple(states), ("training_tokens", "step"), read_family(path).source)


def _file_of(ref: str) -> Path:
    name = "lab-checkpoints" if ref == "checkpoints:lab" else ref
    if name in LAB:
        path = _lab_weights() / LAB[name]
        if not path.is_file():
            raise UserError(f"{ref}: its weights are not in this installation; train them with `scalecurve lab train`")
        return path
    if name in list_ladders():
        return _families() / f"{name}.toml"
    path = Path(ref)
    if ref.endswith(".toml") or path.is_file():
        if not path.is_file():
            raise UserError(f"{ref}: no such family file; give an existing path or one of {', '.join(list_ladders())}")
        return path
    raise UserError(f"{ref}: unknown ladder; {_close(ref, list_ladders())}")


def _close(name: str, known: tuple[str, ...]) -> str:
    return did_you_mean(name, known, f"known: {', '.join(known)}", n=3)


def read_family(path: Path, called: str = "") -> Ladder:
    """The ladder of a family file, rungs in ascending order of the first axis that all of them have."""
    where = called or str(path)
    table = _table(path)
    unknown = sorted(set(table) - set(FIELDS))
    if unknown:
        raise UserError(f"{where}: {unknown[0]}: unknown field; known: {', '.join(FIELDS)}")
    family, listed = table.get("family"), table.get("rung")
    if not isinstance(family, str) or not family:
        raise UserError(f'{where}: family: give the family\'s name, as family = "…"')
    if not isinstance(listed, list) or not listed:
        raise UserError(f"{where}: rung: list the models, each under [[rung]]")
    rungs = [_rung(row, path.parent, f"{where}: rung {at + 1}") for at, row in enumerate(listed)]
    names = [rung.name for rung in rungs]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice:
        raise UserError(f"{where}: rung: two are named {twice!r}; rename one")
    axes = _axes(table.get("axes"), rungs, where)
    if axes:
        rungs.sort(key=lambda rung: (getattr(rung, axes[0]), rung.training_tokens or 0, rung.step or 0))
    return Ladder(family, tuple(rungs), axes, str(table.get("source", "")))


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(regular(path, 1 << 24).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _axes(given: object, rungs: list[Rung], where: str) -> tuple[str, ...]:
    """The axes on which every rung has a value; those of ``given`` first when it is given."""
    if given is not None and not (isinstance(given, list) and all(axis in AXES for axis in given)):
        raise UserError(f"{where}: axes: use some of {', '.join(AXES)}")
    wanted = given if given is not None else AXES[:-1]
    missing = {axis: rung.name for axis in wanted for rung in rungs if getattr(rung, axis) is None}
    if given is not None and missing and rungs[0].backend not in ("transformers", "gguf"):
        axis, name = next(iter(missing.items()))
        raise UserError(f"{where}: axes: {axis} is listed, but {name} has none; add it or drop the axis")
    return tuple(axis for axis in wanted if axis not in missing)


def _rung(row: object, folder: Path, where: str) -> Rung:
    if not isinstance(row, Mapping):
        raise UserError(f"{where}: must be a table under [[rung]]")
    row = {key: _whole(value) if key in _INTEGERS else value for key, value in row.items()}
    known = {field.name for field in fields(Rung)}
    for key in row:
        if key not in known:
            raise UserError(f"{where}: {key}: unknown field; {_close(key, tuple(sorted(known)))}")
    for key in ("name", "backend", "location"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise UserError(f'{where}: {key}: is missing; add {key} = "…"')
    for key in (*_INTEGERS, *_NUMBERS):
        value = row.get(key)
        kind = int if key in _INTEGERS else (int, float)
        usable = isinstance(value, kind) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max
        if value is not None and not usable:
            whole = "whole " if key in _INTEGERS else ""
            raise UserError(f"{where}: {key}: must be a {whole}number of 0 or more, not {value!r}")
    if not isinstance(row.get("revision", ""), str) or not isinstance(row.get("options", {}), dict):
        raise UserError(f"{where}: revision must be text, options a table")
    notes = row.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise UserError(f"{where}: notes: must be a list of texts")
    values = dict(row) | {"location": _location(row, folder), "notes": tuple(notes)}
    return with_flops(Rung(**values))


def _whole(value: object) -> Any:
    """A size written as ``7e9``, which TOML takes for a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _location(row: Mapping[str, object], folder: Path) -> str:
    location = str(row["location"])
    beside = folder / location
    if row["backend"] in ("transformers", "gguf") and (location.startswith(("./", "../")) or beside.exists()):
        return str(beside.resolve())
    return location


def with_flops(rung: Rung) -> Rung:
    """The rung with training FLOPs 6·N·D where they are not given but can be computed; its notes say so."""
    if rung.training_flops is not None or not rung.params_non_embedding or not rung.training_tokens:
        return rung
    flops = 6.0 * rung.params_non_embedding * rung.training_tokens
    return replace(rung, training_flops=flops, notes=(*rung.notes, "training FLOPs are 6 x parameters x tokens"))


def sized(rung: Rung, non_embedding: int | None, total: int | None) -> Rung:
    """The rung with these counts of parameters where it states none, and the training FLOPs that follow from them."""
    return with_flops(
        replace(
            rung,
            params_non_embedding=rung.params_non_embedding or non_embedding or None,
            params_total=rung.params_total or total or None,
        )
    )


def resolve_rung(ref: str) -> Rung:
    """One model: a packaged model's name, ``LADDER:RUNG``, a rung's name, a local directory or GGUF file, a Hub id.

    A Hub id may name a revision: ``EleutherAI/pythia-70m@step1000``. Raises ``UserError`` for an unknown name.
    """
    if ref in PACKAGED_GGUF:
        return _packaged(ref)
    path = Path(ref).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        return Rung(path.stem, "gguf", str(path.resolve()))
    if (path / "config.json").is_file():
        return Rung(path.resolve().name, "transformers", str(path.resolve()))
    if path.exists():
        raise UserError(f"{ref}: has no config.json; give a directory in transformers format or a .gguf file")
    if ref == "mock":
        return Rung("mock", "mock", "mock")
    ladder, _, name = ref.partition(":")
    if name and is_ladder(ladder):
        rungs = {rung.name: rung for rung in load_ladder(ladder).rungs}
        if name not in rungs:
            raise UserError(f"{ref}: {ladder} has no such model; {_close(name, tuple(rungs))}")
        return rungs[name]
    shipped = {rung.name: rung for known in list_ladders() for rung in load_ladder(known).rungs}
    if ref in shipped:
        return shipped[ref]
    if ref.count("/") == 1 and not ref.startswith(("/", ".")):
        location, _, revision = ref.partition("@")
        return Rung(location.split("/")[1] + (f"@{revision}" if revision else ""), "transformers", location,
                    revision=revision)  # fmt: skip
    known = (*PACKAGED_GGUF, *list_ladders(), *shipped)
    fix = did_you_mean(ref, known, "see `scalecurve models list`, or give a directory or Hub id", n=2)
    raise UserError(f"{ref}: unknown model; {fix}")


def _packaged(name: str) -> Rung:
    """A model that a Python package brings along, with its published size and training."""
    facts: dict[str, dict[str, Any]] = {
        "smollm2-135m": {"params_non_embedding": 106_203_456, "params_total": 134_515_008,
                         "training_tokens": 2_000_000_000_000},
        "gemma3-270m": {"params_non_embedding": 100_326_016, "params_total": 268_098_176,
                        "training_tokens": 6_000_000_000_000},
    }  # fmt: skip
    return with_flops(Rung(name, "gguf", f"package:{name}", **facts[name]))
