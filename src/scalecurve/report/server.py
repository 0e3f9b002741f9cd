"""``scalecurve view``: the report for this machine alone, with every example, following a run."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from scalecurve.analysis.derive import derive
from scalecurve.errors import UserError
from scalecurve.report.claims import told
from scalecurve.report.data import Contents, gather
from scalecurve.report.examples import examples_of
from scalecurve.report.extras import add_extras
from scalecurve.report.page import render, render_waiting
from scalecurve.report.paired import add_pairs
from scalecurve.report.progress import RunClock
from scalecurve.report.safe import to_json
from scalecurve.report.words import words
from scalecurve.store import RunDirectory, open_run, read_table
from scalecurve.store.atomic import write_parquet

HOST = "127.0.0.1"
KEPT = 64_000_000  # bytes of examples
_LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


class View:
    """The page of some runs as they are now; made anew, in the background, when their files change."""

    def __init__(self, directories: Sequence[str | Path], lang: str = "en", patience: float = 10.0) -> None:
        """``patience``: seconds a page stands at least before a newer one is made (more when making it is slow)."""
        words(lang)
        self._patience, self._made_at, self._cost = patience, 0.0, 0.0
        self._runs = [_begun(directory) for directory in directories]
        self._lang = lang
        self._lock, self._reading, self._pace = Lock(), Lock(), RunClock()
        self._made: tuple[str, bytes, Contents | None] = ("", b"", None)
        self._maker: Thread | None = None
        self._problem = ""
        self._books: dict[tuple[str, int], bytes] = {}
        self._scratch = tempfile.TemporaryDirectory(prefix="scalecurve-view-")

    def close(self) -> None:
        if self._maker is not None:
            self._maker.join()
        self._scratch.cleanup()

    def version(self) -> str:
        """That of the page as it was last made, "" before the first; where the files have changed, a newer is begun."""
        stood = time.monotonic() - self._made_at
        busy = self._maker is not None and self._maker.is_alive()
        rests = self._made[0] and stood < self._patience + 3 * self._cost
        if not busy and not rests and self._made[0] != self._stamp() and self._any_done():
            self._maker = Thread(target=self._make, daemon=True)
            self._maker.start()
        return self._made[0]

    def progress(self) -> bytes:
        """How far the runs are, and which version of the page is the newest, as JSON."""
        far = self._pace.look([run.read_manifest() for run in self._runs])
        return to_json(asdict(far) | {"version": self.version(), "problem": self._problem}).encode()

    def page(self) -> bytes:
        """The newest page; of a run that goes on and has none yet, one that waits for it."""
        if self._made[2] is None and not all(run.read_manifest().get("finished") for run in self._runs):
            self.version()
            return render_waiting(" · ".join(run.path.name for run in self._runs), self._lang).encode()
        return (self._made if self._made[2] is not None and self.version() else self._now())[1]

    def examples(self, index: int) -> bytes | None:
        """Every example of a task as JSON (of a very large one, evenly spaced); None when there is no such task.

        One task is read at a time, however many ask, and what was read is kept up to ``KEPT`` bytes.
        """
        made = self._made if self._made[2] is not None else self._now()
        contents = made[2]
        if contents is None or not 0 <= index < len(contents.refs):
            return None
        with self._reading:
            key = (made[0], index)
            if key not in self._books:
                book = to_json(examples_of(contents, contents.refs[index], None)).encode("utf-8", "replace")
                kept = {known: old for known, old in self._books.items() if known[0] == key[0]}
                while kept and sum(map(len, kept.values())) + len(book) > KEPT:
                    del kept[next(iter(kept))]
                self._books = kept | {key: book}
            return self._books[key]

    def _stamp(self) -> str:
        """Changes when a manifest or a derived table has."""
        files = [path for run in self._runs for path in (run.manifest, run.curves, run.verdicts)]
        return "-".join(str(path.stat().st_mtime_ns) if path.exists() else "0" for path in files)

    def _any_done(self) -> bool:
        return any(_done(cell) for run in self._runs for cell in run.read_manifest().get("cells", []))

    def _make(self) -> None:
        try:
            self._now()
            self._problem = ""
        except UserError as problem:
            self._problem = str(problem)

    def _now(self) -> tuple[str, bytes, Contents | None]:
        with self._lock:
            stamp = self._stamp()
            if self._made[0] != stamp:
                began = time.monotonic()
                begun = [run for run in self._runs if run.manifest.exists()]
                places = [self._readable(run, number) for number, run in enumerate(begun)]
                contents = told(gather(places), words(self._lang), self._lang)
                if all(place == run.path for place, run in zip(places, begun, strict=True)):
                    add_pairs(add_extras(contents))  # forecasts wait until the run has ended
                page = render(contents, {}, [], self._lang, version=stamp).encode("utf-8", "replace")
                self._made = (stamp, page, contents)
                self._made_at = time.monotonic()
                self._cost = self._made_at - began
            return self._made

    def _readable(self, run: RunDirectory, number: int) -> Path:
        """The run itself when finished; else a shadow beside it, with scores and curves of the cells so far."""
        manifest = run.read_manifest()
        if run.curves.exists() and manifest.get("finished"):
            return run.path
        shadow = RunDirectory(Path(self._scratch.name) / str(number))
        shadow.path.mkdir(exist_ok=True)
        if not shadow.outputs.is_symlink():
            os.symlink(run.outputs.resolve(), shadow.outputs)
        manifest["cells"] = [cell for cell in manifest["cells"] if _done(cell)]
        if not manifest["cells"]:
            raise UserError(f"{run.path}: no cell is finished yet; try again in a moment")
        given = sum(cell.get("examples") or 0 for cell in manifest["cells"])
        shadow.write_manifest(manifest | {"totals": manifest.get("totals", {}) | {"examples": given}})
        if run.study.exists():
            shadow.study.write_bytes(run.study.read_bytes())
        derive(shadow)
        _judge(shadow)
        return shadow.path


def _begun(directory: str | Path) -> RunDirectory:
    """A run to follow: one that can be read, or a directory that a run has begun to fill."""
    run = RunDirectory(Path(directory))
    return run if run.path.is_dir() and run.study.exists() and not run.manifest.exists() else open_run(directory)


def _done(cell: dict[str, Any]) -> bool:
    return bool(cell.get("parts")) and cell["status"] == "done"


def _judge(run: RunDirectory) -> None:
    """Quick verdicts: enough to look at while a run goes on."""

    from scalecurve.analysis import judge_all
    from scalecurve.schema import CURVE_AXES

    curves = read_table(run.curves)
    axis = next((name for name in CURVE_AXES if curves[name].count()), None)
    if axis:
        write_parquet(run.verdicts, judge_all(curves, read_table(run.scores), axis=axis, replicates=200))


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
            elif path == "/progress":
                self._reply(200, "application/json", view.progress())
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


class _ReportServer(ThreadingHTTPServer):
    request_queue_size = 256  # browsers that knock at once; more would be turned away, or wait a second


def serve(
    directories: Sequence[str | Path], *, port: int = 0, lang: str = "en", patience: float = 10.0
) -> tuple[ThreadingHTTPServer, View]:
    """A server bound to loopback, not yet answering (call ``serve_forever``), and its view. Port 0 takes a free one."""
    view = View(directories, lang, patience)
    try:
        return _ReportServer((HOST, port), _handler(view)), view
    except (OSError, OverflowError) as error:
        view.close()
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--port: {port} cannot be used ({reason}); give another or 0") from None
