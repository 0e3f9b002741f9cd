"""The run directory: its files by name, opening one to run in or to read, and the lock that keeps runs apart."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.store.atomic import sweep, unwritable, write_bytes
from scalecurve.types import Cell

if TYPE_CHECKING:
    from scalecurve.study.study import Study


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Where one run's files are."""

    path: Path

    @property
    def study(self) -> Path:
        return self.path / "study.toml"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"

    @property
    def scores(self) -> Path:
        return self.path / "scores.parquet"

    @property
    def curves(self) -> Path:
        return self.path / "curves.parquet"

    @property
    def verdicts(self) -> Path:
        return self.path / "verdicts.parquet"

    @property
    def published_points(self) -> Path:
        """Scores that came with imported results, one row a cell and metric; what ``derive`` cannot compute."""
        return self.path / "published" / "points.parquet"

    @property
    def published_scores(self) -> Path:
        """Scores of single examples that came with imported results (columns of scores.parquet)."""
        return self.path / "published" / "scores.parquet"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def submitted(self) -> Path:
        """The record of what was submitted as Slurm jobs."""
        return self.path / "slurm" / "jobs.json"

    @property
    def until(self) -> Path:
        """What was decided of each curve when not every example was asked (``scalecurve.runner.adaptive``)."""
        return self.path / "until.json"

    def cell(self, cell: Cell) -> Path:
        """The folder of one cell's parts."""
        return self.outputs / cell.key

    def read_manifest(self) -> dict[str, Any]:
        """The manifest; empty when none was written yet. ``UserError`` when it is not what a manifest is."""
        from scalecurve.store.manifest_shape import check_manifest

        try:
            manifest: dict[str, object] = json.loads(self.manifest.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.manifest}: not valid JSON ({error}); delete it and run the study again") from None
        if not isinstance(manifest, dict):
            raise UserError(f"{self.manifest}: is no JSON object; delete it and run the study again")
        try:
            check_manifest(manifest)
        except UserError as error:
            raise UserError(f"{self.manifest}: {error}; delete it and run the study again") from None
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, one record a line."""
        write_bytes(self.manifest, _lines(manifest).encode())

    def keep_study(self, study: Study) -> None:
        """Write study.toml, or ``UserError`` where the directory's own asks something else."""
        from scalecurve.study.study import load_study

        if not self.study.exists():
            if self.manifest.exists() or self.outputs.exists():
                raise UserError(f"{self.path}: holds outputs but no study.toml; give an empty directory with --out")
            write_bytes(self.study, study.to_toml().encode())
            return
        before = load_study(self.study)
        if not study.same_questions(before):
            changed = [name for name in type(study).model_fields if getattr(study, name) != getattr(before, name)]
            raise UserError(
                f"{self.study}: holds a study that differs in {', '.join(changed)}; give another directory with --out"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process; ``UserError`` naming the holder when another one has it.

        The operating system drops the lock when the process ends, however it ends. A directory that is still
        without any result when the work fails is removed again.
        """
        import fcntl

        try:
            made = not self.path.exists() or not any(self.path.iterdir())
            self.path.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(self.path, error) from None
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(file, 200).decode(errors="replace").strip() or "another process"
                raise UserError(
                    f"{self.path}: in use by {holder}; wait for it to end or give another directory with --out"
                ) from None
            try:
                os.ftruncate(file, 0)
                os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            except OSError as error:
                raise unwritable(self.path, error) from None
            sweep(self.path)
            try:
                yield
            except BaseException:
                if made and not self.outputs.exists() and not self.submitted.exists():
                    shutil.rmtree(self.path, ignore_errors=True)
                raise
            os.ftruncate(file, 0)
        finally:
            os.close(file)


def _lines(manifest: dict[str, Any]) -> str:
    """JSON with every record of a list on its own line; a whole indentation takes ten times as long."""
    text = json.JSONEncoder(ensure_ascii=False).encode

    def listed(value: object) -> str:
        each = ",\n  ".join(map(text, value)) if isinstance(value, list) else ""
        return f"[\n  {each}\n ]" if each else text(value)

    fields = (f"{text(name)}: {listed(value)}" for name, value in manifest.items())
    return "{\n " + ",\n ".join(fields) + "\n}\n"


def open_run(path: str | Path) -> RunDirectory:
    """A finished or interrupted run to read. ``UserError`` when ``path`` holds none."""
    run = RunDirectory(Path(path))
    if not run.path.is_dir():
        raise UserError(f"{run.path}: no such run directory; `scalecurve run STUDY.toml --out {run.path}` makes one")
    if not run.manifest.exists():
        raise UserError(f"{run.path}: not a run directory (it has no manifest.json); give one made by `scalecurve run`")
    return run
