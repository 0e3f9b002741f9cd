"""A run kept a second time under a URL, in any storage that fsspec knows (s3://, gs://, sftp://, memory://).

A run directory needs what only a file system has: locks, and files that appear whole under their name. So the run goes
on in a directory, and finished files are copied: what is under the URL is fetched first, so that a run can go on where
another machine left it, and every few seconds what is new is sent. The copy is behind by a few seconds; when another
machine goes on from it, what was finished in those seconds is computed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.store.atomic import write_bytes
from scalecurve.store.directory import RunDirectory
from scalecurve.util.text import one_line

SECONDS = 5.0
_OWN = (
    "study.toml",
    "manifest.json",
    "scores.parquet",
    "curves.parquet",
    "verdicts.parquet",
    "until.json",
    "report.html",
)


@contextmanager
def mirrored(
    run: RunDirectory, url: str, note: Callable[[str], None] | None = None, *, seconds: float = SECONDS
) -> Iterator[None]:
    """Within: the run is fetched from ``url`` where the directory lacks something, and copied there as it grows.

    Nothing happens without a ``url``. ``UserError`` when the storage cannot be reached at the beginning or the end; in
    between a failure is noted once and tried again.
    """
    if not url:
        yield
        return
    mirror = Mirror(run, url)
    mirror.fetch()
    stop, told = threading.Event(), False

    def keep_sending() -> None:
        nonlocal told
        while not stop.wait(seconds):
            try:
                mirror.send()
            except UserError as error:
                if note and not told:
                    note(f"{error}; tried again every {seconds:g} s")
                told = True

    sender = threading.Thread(target=keep_sending, daemon=True)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()
    mirror.send()


class Mirror:
    """The copy of one run under one URL."""

    def __init__(self, run: RunDirectory, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise UserError("--mirror: needs fsspec; pip install 'scalecurve[mirror]'") from None
        self.run, self.url = run, url.rstrip("/")
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise UserError(f"--mirror {url}: {' '.join(str(error).split())[:200]}") from None
        self.sent: dict[str, tuple[int, int]] = {}

    def fetch(self) -> None:
        """Bring what is under the URL and not in the directory."""
        for remote in self._try(self._remote):
            name = remote[len(self.root) :].lstrip("/")
            path = self.run.path / name
            if _belongs(name) and not path.exists():
                write_bytes(path, self._try(self.files.cat_file, remote))
                self.sent[name] = _stamp(path)

    def send(self) -> None:
        """Copy what is new or has changed; parts that the run has replaced are removed there too."""
        here = {str(path.relative_to(self.run.path)): path for path in _files(self.run)}
        for name in sorted(here, key=lambda name: name in _OWN):  # the manifest after the parts that it names
            with suppress(FileNotFoundError):  # replaced while we looked
                stamp = _stamp(here[name])
                if self.sent.get(name) != stamp:
                    self._try(self._put, name, here[name].read_bytes())
                    self.sent[name] = stamp
        for name in [name for name in self.sent if name not in here]:
            self._try(self._remove, name)
            del self.sent[name]

    def _remote(self) -> list[str]:
        return list(self.files.find(self.root)) if self.files.exists(self.root) else []

    def _put(self, name: str, data: bytes) -> None:
        target = f"{self.root}/{name}"
        self.files.makedirs(target.rpartition("/")[0], exist_ok=True)
        self.files.pipe_file(target, data)

    def _remove(self, name: str) -> None:
        if self.files.exists(f"{self.root}/{name}"):
            self.files.rm_file(f"{self.root}/{name}")

    def _try(self, action: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except Exception as error:  # every storage has errors of its own
            said = one_line(error) or type(error).__name__
            raise UserError(f"--mirror {self.url}: {said}; the run directory is whole, the copy is not") from None


def _belongs(name: str) -> bool:
    parts = Path(name).parts
    of_a_cell = len(parts) == 3 and parts[0] == "outputs" and parts[2].startswith("part-")
    return name in _OWN or (of_a_cell and ".." not in parts)


def _files(run: RunDirectory) -> list[Path]:
    own = [run.path / name for name in _OWN]
    return [*run.outputs.glob("*/part-*.parquet"), *(path for path in own if path.exists())]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
