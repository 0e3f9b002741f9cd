"""``scalecurve view``: the report for this machine alone, with every example, following a run."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from scalecurve.nouns import UserError
from scalecurve.report.data import Contents, gather
from scalecurve.report.examples import examples_of
from scalecurve.report.extras import add_extras
from scalecurve.report.page import render
from scalecurve.report.reasons import localised
from scalecurve.report.safe import to_json
from scalecurve.report.words import words
from scalecurve.runs import RunDirectory, derive, open_run
from scalecurve.runs.atomic import write_parquet

HOST = "127.0.0.1"
KEPT = 64_000_000  # bytes of examples
_LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


class View:
    """The page of some runs as they are now; made anew when their files change."""

    def __init__(self, directories: Sequence[str | Path], lang: str = "en", patience: float = 10.0) -> None:
        """``patience``: seconds a page stands at least before a newer one is offered (more when making it is slow)."""
        words(lang)
        self._patience, self._made_at, self._cost = patience, 0.0, 0.0
        self._runs = [open_run(directory) for directory in directories]
        self._lang = lang
        self._lock, self._reading = Lock(), Lock()
        self._made: tuple[str, bytes, Contents | None] = ("", b"", None)
        self._books: dict[tuple[str, int], bytes] = {}
        self._scratch = tempfile.TemporaryDirectory(prefix="scalecurve-view-")

    def close(self) -> None:
        self._scratch.cleanup()

    def version(self) -> str:
        """Changes when a manifest or a derived table has, and the page has stood for a while."""
        stood = time.monotonic() - self._made_at
        if self._made[0] and stood < self._patience * (1 + self._cost):
            return self._made[0]
        files = [path for run in self._runs for path in (run.manifest, run.curves, run.verdicts)]
        return "-".join(str(path.stat().st_mtime_ns) if path.exists() else "0" for path in files)

    def page(self) -> bytes:
        return self._now()[0]

    def examples(self, index: int) -> bytes | None:
        """Every example of a task as JSON (of a very large one, evenly spaced); None when there is no such task.

        One task is read at a time, however many ask, and what was read is kept up to ``KEPT`` bytes.
        """
        contents = self._now()[1]
        if not 0 <= index < len(contents.refs):
            return None
        with self._reading:
            key = (self._made[0], index)
            if key not in self._books:
                book = to_json(examples_of(contents, contents.refs[index], None)).encode("utf-8", "replace")
                kept = {known: old for known, old in self._books.items() if known[0] == key[0]}
                while kept and sum(map(len, kept.values())) + len(book) > KEPT:
                    del kept[next(iter(kept))]
                self._books = kept | {key: book}
            return self._books[key]

    def _now(self) -> tuple[bytes, Contents]:
        with self._lock:
            version = self.version()
            made, page, contents = self._made
            if made != version or contents is None:
                began = time.monotonic()
                places = [self._readable(run, number) for number, run in enumerate(self._runs)]
                contents = localised(gather(places), self._lang)
                if all(place == run.path for place, run in zip(places, self._runs, strict=True)):
                    add_extras(contents)  # forecasts wait until the run has ended
                page = render(contents, {}, [], self._lang, version=version).encode("utf-8", "replace")
                self._made = (version, page, contents)
                self._made_at = time.monotonic()
                self._cost = self._made_at - began
            return page, contents

    def _readable(self, run: RunDirectory, number: int) -> Path:
        """The run itself when finished; else a shadow beside it, with scores and curves of the cells so far."""
        manifest = run.read_manifest()
        if run.curves.exists() and manifest.get("finished"):
            return run.path
        shadow = RunDirectory(Path(self._scratch.name) / str(number))
        shadow.path.mkdir(exist_ok=True)
        if not shadow.outputs.is_symlink():
            os.symlink(run.outputs.resolve(), shadow.outputs)
        manifest["cells"] = [cell for cell in manifest["cells"] if cell.get("parts") and cell["status"] == "done"]
        if not manifest["cells"]:
            raise UserError(f"{run.path}: no cell is finished yet; try again in a moment")
        shadow.write_manifest(manifest)
        if run.study.exists():
            shadow.study.write_bytes(run.study.read_bytes())
        derive(shadow)
        _judge(shadow)
        return shadow.path


def _judge(run: RunDirectory) -> None:
    """Quick verdicts: enough to look at while a run goes on."""
    import polars as pl

    from scalecurve.curves import AXES, judge_all

    curves = pl.read_parquet(run.curves)
    axis = next((name for name in AXES if curves[name].count()), None)
    if axis:
        write_parquet(run.verdicts, judge_all(curves, pl.read_parquet(run.scores), axis=axis, replicates=200))


@lru_cache
def _handler(view: View) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30  # seconds that a silent or slow browser keeps a thread

        def do_GET(self) -> None:
            try:
                if self._is_local():
                    self._answer(self.path.partition("?")[0])
                else:
                    self._reply(403, "text/plain", b"only for this machine")
            except UserError as error:
                self._reply(503, "text/plain", str(error).encode())
            except (ConnectionError, TimeoutError):  # the browser has left
                self.close_connection = True

        def _is_local(self) -> bool:
            """Whether the address names this machine (and not another site's name for it), and no other site asks."""
            origin = self.headers.get("Origin")
            asked_by = origin is None or _LOCAL.fullmatch(origin.removeprefix("http://"))
            return bool(_LOCAL.fullmatch(self.headers.get("Host", "")) and asked_by)

        def _answer(self, path: str) -> None:
            found = re.fullmatch(r"/examples/(\d{1,6})", path)
            if path == "/":
                self._reply(200, "text/html", view.page())
            elif path == "/version":
                self._reply(200, "text/plain", view.version().encode())
            elif found and (book := view.examples(int(found[1]))) is not None:
                self._reply(200, "application/json", book)
            else:
                self._reply(404, "text/plain", b"not here")

        def _reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.send_header("X-Frame-Options", "DENY")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    return Handler


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # browsers that knock at once; more would be turned away, or wait a second


def serve(
    directories: Sequence[str | Path], *, port: int = 0, lang: str = "en", patience: float = 10.0
) -> tuple[ThreadingHTTPServer, View]:
    """A server bound to loopback, not yet answering (call ``serve_forever``), and its view. Port 0 takes a free one."""
    view = View(directories, lang, patience)
    try:
        return _Server((HOST, port), _handler(view)), view
    except (OSError, OverflowError) as error:
        view.close()
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--port: {port} cannot be used ({reason}); give another or 0") from None
