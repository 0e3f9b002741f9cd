"""A filter over 10,000 rows of 200 different texts: our query, LOTUS and BlendSQL, all at one llama.cpp server.

    python benchmarks/query_versus.py --lotus ENV/bin/python --blendsql ENV/bin/python [--rows 10000] [--distinct 200]

The others live in environments of their own (``pip install lotus-ai==1.2.4``, ``blendsql==0.1.28``). All ask
SmolLM2-135M-Instruct for at most four tokens an answer through the same counting proxy, one after the other, twice in
alternation with ``--rounds 2``. Tokens are the server's own counts of what it read and wrote (a cached prefix is not
read again). A last line asks the same weights inside our process, by scoring both answers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl

from scalecurve.models import resolve_rung
from scalecurve.models.gguf import gguf_file
from scalecurve.query.session import Session

SERVER = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.n_ctx, parameters.n_parallel, parameters.port = sys.argv[1], 4096, 4, 0
parameters.cpuparams.n_threads = 1
parameters.endpoint_metrics = True
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
LOTUS = """
import sys, time, pandas as pd, lotus
from lotus.models import LM
url, table = sys.argv[1:]
lm = LM(model="openai/smollm2", api_base=url, api_key="none", max_tokens=4, max_batch_size=4)
lotus.settings.configure(lm=lm, enable_cache=False)
frame = pd.read_csv(table)
began = time.perf_counter()
found = frame.sem_filter("{txt} is a complaint")
print(len(found), time.perf_counter() - began)
"""
BLENDSQL = """
import os, sys, time, pandas as pd
os.environ["BLENDSQL_MAX_TOKENS"] = "4"
os.environ["BLENDSQL_ASYNC_LIMIT"] = "4"
from blendsql import BlendSQL
from blendsql.ingredients import LLMMap
from blendsql.models import OpenAI
url, table = sys.argv[1:]
model = OpenAI("smollm2", api_key="none", base_url=url, caching=False)
bsql = BlendSQL({"r": pd.read_csv(table)}, model=model, ingredients={LLMMap})
began = time.perf_counter()
found = bsql.execute("SELECT id FROM r WHERE {{LLMMap('Is this a complaint?', txt, return_type='bool')}} = TRUE")
print(len(found.df()), time.perf_counter() - began)
"""
SUBJECTS = ("parcel", "room", "bread", "train", "phone", "concert", "coffee", "jacket", "garden", "lesson")
WORDS = ("arrived broken", "was a delight", "took three hours", "smelled of smoke", "cost too much", "made my day",
         "never came", "was on time", "fell apart", "looked lovely")  # fmt: skip
ENDS = ("and nobody answers.", "as always.")


def table(rows: int, distinct: int) -> pl.DataFrame:
    texts = [f"The {s} {w} {e}" for e in ENDS for w in WORDS for s in SUBJECTS][:distinct]
    return pl.DataFrame({"id": range(rows), "txt": [texts[i * 7919 % distinct] for i in range(rows)]})


class Proxy(ThreadingHTTPServer):
    """Passes everything on and counts the requests, and the tokens that the replies tell.

    ``reworded`` gives another reply in place of the server's, from what was asked and what was said.
    """

    daemon_threads = True
    reworded: Callable[[bytes, bytes], bytes] | None = None

    def __init__(self, target: str, pid: int) -> None:
        self.pid = pid
        self.target, self.calls, self.tokens, self.lock = target, 0, 0, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Pass)

    def processor(self) -> float:
        """Processor seconds of the server so far (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Pass(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.calls += 1
        self._pass(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self._pass(None)

    def _pass(self, body: bytes | None) -> None:
        asked = urllib.request.Request(self.server.target + self.path, data=body,
                                       headers={"Content-Type": "application/json"})  # fmt: skip
        try:
            with urllib.request.urlopen(asked, timeout=600) as reply:
                status, kind, said = reply.status, reply.headers["Content-Type"], reply.read()
        except urllib.error.HTTPError as error:
            status, kind, said = error.code, "application/json", error.read()
        told = re.findall(rb'"total_tokens":\s*(\d+)', said)  # of a stream, the last one is of all
        with self.server.lock:
            self.server.tokens += int(told[-1]) if told and body else 0
        if body and self.server.reworded and status == 200:
            said = self.server.reworded(body, said)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(model: str = "smollm2-135m") -> Iterator[Proxy]:
    """A llama.cpp server of ``model``, behind the proxy."""
    command = [sys.executable, "-c", SERVER, str(gguf_file(resolve_rung(model)))]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **streams) as process:
        assert process.stdout is not None
        address = next(line for line in process.stdout if line.startswith("http")).strip()
        proxy = Proxy(address, process.pid)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()
        process.kill()


def counted(proxy: Proxy) -> tuple[int, int, int]:
    """Requests so far, and tokens the server has read and written."""
    with urllib.request.urlopen(f"{proxy.target}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    found = dict(line.split() for line in lines if line and line[0] != "#")
    return (proxy.calls, int(float(found["llamacpp:prompt_tokens_total"])),
            int(float(found["llamacpp:tokens_predicted_total"])))  # fmt: skip


def family_of(url: str, *, top_logprobs: int = 20) -> str:
    """A family file with the server as its one rung."""
    options = f"chat = true, concurrency = 4, top_logprobs = {top_logprobs}"
    rung = {"name": "served", "backend": "endpoint", "location": url}
    return 'family = "served"\n[[rung]]\n' + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in rung.items()
    ) + f"options = {{ {options} }}\n"  # fmt: skip


def ours(proxy: Proxy, path: Path, folder: Path, query: str) -> tuple[int, float]:
    family = folder / "served.toml"
    family.write_text(family_of(proxy.url))
    session = Session(str(family), attach={"r": path})
    began = time.perf_counter()
    found = session.run(query)
    seconds = time.perf_counter() - began
    print(f"  {found.summary}", file=sys.stderr)
    session.close()
    return found.table.num_rows, seconds


def other(python: str, program: str, proxy: Proxy, path: Path) -> tuple[int, float]:
    done = subprocess.run([python, "-c", program, proxy.url, str(path)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    rows, seconds = done.stdout.split()[-2:]
    return int(rows), float(seconds)


def in_process(path: Path, query: str) -> None:
    session = Session("smollm2-135m", attach={"r": path})
    session.run("SELECT ai_filter('Is this a complaint?', 'warm')")
    began = time.perf_counter()
    found = session.run(query)
    usage, seconds = found.usage, time.perf_counter() - began
    print(f"| scalecurve, in process | {usage.calls} | {usage.tokens_in} | {usage.tokens_out} | {seconds:.1f} | "
          f"{found.table.num_rows} |")  # fmt: skip
    session.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lotus", default="")
    parser.add_argument("--blendsql", default="")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--lotus-rows", type=int, default=0, help="fewer rows for LOTUS, which asks about each one")
    parser.add_argument("--distinct", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    query = "SELECT id FROM r WHERE ai_filter('Is this a complaint?', txt)"
    with tempfile.TemporaryDirectory() as folder, served() as proxy:
        path = Path(folder) / "r.csv"
        table(given.rows, given.distinct).write_csv(path)
        sides = [("scalecurve", lambda: ours(proxy, path, Path(folder), query))]
        if given.blendsql:
            sides.append(("BlendSQL 0.1.28", lambda: other(given.blendsql, BLENDSQL, proxy, path)))
        if given.lotus:
            own = Path(folder) / "lotus.csv"
            table(given.lotus_rows or given.rows, given.distinct).write_csv(own)
            name = "LOTUS 1.2.4" + (f", {given.lotus_rows} rows" if given.lotus_rows else "")
            sides.append((name, lambda: other(given.lotus, LOTUS, proxy, own)))
        print("| | calls | tokens read | tokens written | seconds | rows found |\n|---|---|---|---|---|---|")
        for name, side in sides * given.rounds:
            before = counted(proxy)
            rows, seconds = side()
            calls, read, written = (b - a for a, b in zip(before, counted(proxy), strict=True))
            print(f"| {name} | {calls} | {read} | {written} | {seconds:.1f} | {rows} |", flush=True)
        in_process(path, query)


if __name__ == "__main__":
    main()
