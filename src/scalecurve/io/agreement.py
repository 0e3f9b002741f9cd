"""What the results of an import must agree in, what they may differ in but is told, and results that come twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scalecurve.errors import UserError
from scalecurve.io.shape import Evaluation

SHOWN = 12


@dataclass
class Agreement:
    """Versions and prompts of every task, which must be one; settings, of which differences are told."""

    _first: dict[tuple[str, str], tuple[Evaluation, Path]] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)
    _kept: list[Evaluation] = field(default_factory=list)
    _settings: dict[str, dict[str, tuple[str, Path]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def check(self, asked: Evaluation, path: Path) -> None:
        """Set what was asked against what was asked before under this task and strategy."""
        if id(asked) in self._seen:
            return
        self._seen.add(id(asked))
        self._kept.append(asked)  # so that its id stays its own
        for name, value in asked.setting:
            self._settings.setdefault(name, {}).setdefault(value, (asked.model.label, path))
        first, where = self._first.setdefault((asked.task, asked.strategy), (asked, path))
        self._versions.setdefault(asked.task, asked.version)
        if first is asked:
            return
        if asked.version != first.version and _differ(asked.version, first.version):
            self.problems.append(
                f"{path}: {asked.task} is of version {asked.version}, in {where} of version {first.version}"
            )
            return
        before = dict(first.prompts) if asked.prompts else {}
        other = [name for name, value in asked.prompts if name in before and before[name] != value]
        if other:
            self.problems.append(f"{path}: {asked.task} was asked with another {', '.join(other)} than in {where}")

    def know(self, task: str, asked: Evaluation) -> None:
        """A task that no source asks as such: a group that was made of its parts."""
        self._versions.setdefault(task, asked.version)

    def refuse(self) -> None:
        """``UserError`` with every disagreement, if there is one."""
        if self.problems:
            raise UserError(_listed(self.problems) + "; import them into two runs")

    def version_of(self, task: str) -> str:
        return self._versions.get(task, "")

    def tasks(self) -> list[str]:
        return list(self._versions)

    def notes(self) -> list[str]:
        """One line a setting in which the results differ."""
        lines = []
        for name, values in self._settings.items():
            if len(values) > 1:
                shown = [f"{value or 'none'} ({label})" for value, (label, _) in list(values.items())[:4]]
                more = f" and {len(values) - 4} more" if len(values) > 4 else ""
                lines.append(f"results differ in {name}: {', '.join(shown)}{more}")
        return lines


@dataclass
class Twice:
    """Results of which there are several: identical ones are merged, others refused, all of them at once."""

    keep: str = ""
    merged: dict[tuple[Path, Path], int] = field(default_factory=dict)
    dropped: dict[tuple[Path, Path], int] = field(default_factory=dict)
    clashes: dict[tuple[Path, Path], list[str]] = field(default_factory=dict)

    def see(self, path: Path, other: Path, label: str, same: bool) -> None:
        """Another result of ``label`` in ``path``, where ``other`` has one already."""
        pair = (path, other)
        if same:
            self.merged[pair] = self.merged.get(pair, 0) + 1
        elif self.keep:
            self.dropped[pair] = self.dropped.get(pair, 0) + 1
        else:
            self.clashes.setdefault(pair, []).append(label)

    def refuse(self, differing: Callable[[Path], list[str]] = lambda path: []) -> None:
        """``UserError`` that names every pair of files with different results of one kind; ``differing`` names the
        columns of a table in which rows of one kind differ."""
        if self.clashes:
            lines = [
                f"{path}: {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} "
                + (f"is in {other} too" if path != other else "stands in several rows")
                for (path, other), names in self.clashes.items()
            ]
            if all(path == other for path, other in self.clashes):
                told = next((found for path, _ in self.clashes if (found := differing(path))), [])
                if told:
                    raise UserError(
                        f"{_listed(lines)}; they differ in {', '.join(told[:4])}; leave one of them out, or say what "
                        f"that is: --map strategy={told[0]} (a way of asking), or revision, step, seed"
                    )
                raise UserError(
                    _listed(lines) + "; leave one of them out, or give the column that tells them apart a name: --map "
                    "seed=COLUMN, or step, revision, strategy"
                )
            raise UserError(_listed(lines) + "; leave one of them out, or say --keep newest (or oldest)")

    def notes(self) -> list[str]:
        lines = []
        for why, found in (("say the same as those kept", self.merged), (f"are not the {self.keep}", self.dropped)):
            if found:
                (path, other), _ = next(iter(found.items()))
                more = f", and {len(found) - 1} more pairs of files" if len(found) > 1 else ""
                lines.append(
                    f"{sum(found.values())} results were left out, as they {why}: {path}, beside {other}{more}"
                )
        return lines


def _differ(one: str, other: str) -> bool:
    mine, theirs = plain_version(one), plain_version(other)
    return bool(mine and theirs and mine != theirs)


def plain_version(version: str) -> str:
    """A version as all files write it: 1, 1.0 and "v1" are one."""
    text = version.strip().lower().removeprefix("v")
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _listed(lines: list[str]) -> str:
    return "; ".join(lines[:SHOWN]) + (f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else "")
