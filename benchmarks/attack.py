"""Attacks scalecurve as an outsider would, and prints one line a kind: python benchmarks/attack.py [--instants 40]

killed      kill -9 at random instants of run, rescore, export, import and report; every directory is then carried to
            the end and compared, byte for byte, with one that nobody disturbed
endpoint    a server that errs in every way it can, and that says the key it was shown
statements  SQL built to burn time and memory (tests/query/burning.py)
files       what strangers could send (tests/hostile.py)

Commands are forked from a process that has loaded the libraries, so that instants fall into their work. Exit code 1
when anything differs, hangs beyond its limit, takes more memory than it may, or shows a traceback.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "query")]

from burning import BURNING  # noqa: E402 - the folders above hold them
from fault_server import FAULTS, KEY, fault_server  # noqa: E402 - the same
from hostile import KINDS, SECRET  # noqa: E402 - the same

SECONDS, MEMORY = 120.0, 3 << 30  # of one command
STATEMENT_SECONDS, STATEMENT_MEMORY = 2.0, 500_000_000
STUDY = """tasks = ["lab:addition:2_digits", "lab:rebus:title", "lab:facts_choice"]
strategies = ["direct"]
limit = 40
part_size = 4
[[models]]
name = "m1"
backend = "mock"
location = "mock-100"
[[models]]
name = "m2"
backend = "mock"
location = "mock-9000"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code (None: killed), seconds, what it printed, and its peak memory in bytes."""

    code: int | None
    seconds: float
    text: str
    memory: int

    @property
    def problem(self) -> str:
        """What is wrong whatever the command was."""
        if "Traceback" in self.text or "panicked" in self.text or self.code in (3, 255):
            return f"traceback: {self.text.strip().splitlines()[-1][:100]}"
        if self.seconds > SECONDS:
            return f"{self.seconds:.0f} s"
        return f"{self.memory >> 20} MB" if self.memory > MEMORY else ""


def forked(work: Callable[[], int], folder: Path, *, kill_after: float | None = None, whole: bool = True) -> Ended:
    """``work`` in a fork that stands in ``folder``, killed after some seconds (with its children, if ``whole``)."""
    log = folder.parent / f"{folder.name}.log"
    log.write_bytes(b"")  # a fork may be killed before it opens its own
    began = time.monotonic()
    process = os.fork()
    if process == 0:
        code = 255
        try:
            os.setsid()
            os.chdir(folder)
            file = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            os.dup2(file, 1), os.dup2(file, 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            code = work()
        finally:
            with suppress(Exception):
                sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
    limit = SECONDS if kill_after is None else min(kill_after, SECONDS)
    while True:
        done, status, used = os.wait4(process, os.WNOHANG)
        late = time.monotonic() - began > limit
        if not done and late:
            with suppress(ProcessLookupError):
                (os.killpg if whole else os.kill)(process, signal.SIGKILL)
            _, status, used = os.wait4(process, 0)
        if done or late:
            break
        time.sleep(0.003)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    killed = code == -signal.SIGKILL and kill_after is not None
    if code == -signal.SIGKILL and not killed:
        seconds = SECONDS + 1
    if whole:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGKILL)
    return Ended(None if killed else code, seconds, log.read_text(errors="replace"), used.ru_maxrss * 1024)


def command(*words: str) -> Callable[[], int]:
    """``scalecurve`` with ``words``, as work for a fork."""

    def work() -> int:
        from scalecurve.cli import main

        sys.argv = ["scalecurve", *words]
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return work


# ── Killed at any instant ────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Job:
    """A command that is killed: what must be there before it, its words, and the files by which its end is judged."""

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...]
    results: tuple[str, ...]


TABLES = ("RUN/scores.parquet", "RUN/curves.parquet", "RUN/verdicts.parquet")
JOBS = (
    Job("run", ("run", "s.toml", "--out", "RUN", "--quiet"), (), ("RUN/outputs/*/part-*", *TABLES, "RUN/study.toml")),
    Job("rescore", ("rescore", "RUN"), ("RUN",), ("RUN/outputs/*/part-*", *TABLES)),
    Job("export parquet", ("export", "parquet", "RUN", "--out", "OUT"), ("RUN",), ("OUT/*",)),
    Job("export csv", ("export", "csv", "RUN", "--out", "OUT"), ("RUN",), ("OUT/*",)),
    Job("import table", ("import", "table", "t.csv", "--into", "NEW"), (), ("NEW/*.parquet", "NEW/published/*")),
    Job("import export", ("import", "scalecurve", "EXPORT", "--into", "NEW"), ("EXPORT",), ("NEW/*.parquet",)),
    Job("report", ("report", "RUN"), ("RUN",), TABLES),
)


def found(folder: Path, patterns: tuple[str, ...]) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for one in patterns for path in sorted(folder.glob(one))}


def prepared(base: Path, job: Job, name: str) -> Path:
    """A folder with what a job needs."""
    folder = base / name
    folder.mkdir()
    for file in ("s.toml", "t.csv"):
        shutil.copyfile(base / file, folder / file)
    for need in job.needs:
        shutil.copytree(base / "ready" / need, folder / need)
    return folder


def killed(
    base: Path, jobs: tuple[Job, ...], instants: int, rng: random.Random
) -> Iterator[tuple[str, list[str], str]]:
    """(kind, problems, what was done) of every job."""
    (base / "s.toml").write_text(STUDY)
    rows = [f"m{m},{10 ** (7 + m)},t{t},acc,{(m + 1) * (t % 7) / 40:.3f},200" for t in range(60) for m in range(5)]
    (base / "t.csv").write_text("\n".join(["model,params_total,task,metric,score,n", *rows, ""]))
    ready = base / "ready"
    ready.mkdir()
    shutil.copyfile(base / "s.toml", ready / "s.toml")
    for words in (JOBS[0].words, ("export", "parquet", "RUN", "--out", "EXPORT")):
        ended = forked(command(*words), ready)
        assert ended.code == 0, ended.text
    for job in jobs:
        undisturbed = prepared(base, job, f"{job.name}-whole")
        whole = forked(command(*job.words), undisturbed)
        assert whole.code == 0, whole.text
        problems, lives, kills, at = [], 0, 0, 0
        while kills < instants:
            folder = prepared(base, job, f"{job.name}-{at}")
            at += 1
            for _ in range(min(rng.randint(1, 8), instants - kills)):
                when = rng.uniform(0, whole.seconds)
                ended = forked(command(*job.words), folder, kill_after=when, whole=rng.random() < 0.7)
                kills += ended.code is None
                problems += [ended.problem] if ended.code is not None and ended.problem else []
                if ended.code == 0:
                    break
            time.sleep(0.1)  # what a killed driver left ends
            out = next((folder / name for name in ("OUT", "NEW") if (folder / name).exists()), None)
            if out is None or not job.words[0].startswith(("export", "import")):
                ended = forked(command(*job.words), folder)
                if ended.code != 0 or ended.problem:
                    problems.append(ended.problem or f"exit code {ended.code}: {ended.text[-200:]}")
            lives += 1
            same = found(folder, job.results) == found(undisturbed, job.results)
            problems += [] if same else [f"results differ in {folder}"]
            left = [path for name in ("*.tmp", "*.making") for path in folder.rglob(name)]
            problems += [f"left behind: {path.name}" for path in left]
            if same and not left:
                shutil.rmtree(folder)
        yield f"{job.name} killed {kills} times", problems, f"{lives} directories carried to the end, all the same"


# ── An endpoint ──────────────────────────────────────────────────────────────────────────────────────────────
def endpoint(base: Path) -> Iterator[tuple[str, list[str], str]]:
    """A study of that server beside a healthy model, asked again and again; the key must be nowhere."""
    os.environ["OPENAI_API_KEY"] = KEY
    folder = base / "endpoint"
    folder.mkdir()
    with fault_server() as url:
        (folder / "s.toml").write_text(
            f'tasks = ["lab:facts_choice", "lab:addition:2_digits"]\nlimit = {len(FAULTS)}\npart_size = 8\n'
            f'[[models]]\nname = "far"\nbackend = "endpoint"\nlocation = "{url}"\n'
            "options = {timeout = 5, retries = 0}\n"
            '[[models]]\nname = "well"\nbackend = "mock"\nlocation = "mock-100"\n'
        )
        ends = [forked(command("run", "s.toml", "--out", "RUN", "--quiet"), folder)]
        ends.append(forked(command("run", "s.toml", "--out", "RUN", "--quiet", "--retry-failed"), folder))
    problems = [
        ended.problem or f"exit code {ended.code}" for ended in ends if ended.problem or ended.code not in (0, 1)
    ]
    said = forked(lambda: _leaks(folder / "RUN"), folder)
    problems += [said.text.strip()[-200:]] if said.code else []
    problems += ["the key is on the screen"] if any(KEY in ended.text for ended in ends) else []
    yield f"endpoint: {len(FAULTS)} faults, twice", problems, "the other model whole, no key on disk or screen"


def _leaks(run: Path) -> int:
    import polars as pl

    kept = "".join(str(pl.read_parquet(path).to_dicts()) for path in run.rglob("*.parquet"))
    kept += "".join(
        path.read_text(errors="replace") for path in run.rglob("*") if path.suffix in (".json", ".html", ".toml")
    )
    spelled = (KEY, KEY[:14], base64.b64encode(KEY.encode()).decode())
    print("the key is in the run directory" * any(one in kept for one in spelled))
    cells = json.loads((run / "manifest.json").read_text())["cells"]
    hurt = [
        cell["key"]
        for cell in cells
        if cell["rung"] == "well" and (cell["status"] != "done" or cell["failed_examples"])
    ]
    print(f"the healthy model lost {hurt}" * bool(hurt))
    return int(any(one in kept for one in spelled) or bool(hurt))


# ── Statements and files ─────────────────────────────────────────────────────────────────────────────────────
def statements(base: Path, chosen: list[str]) -> Iterator[tuple[str, list[str], str]]:
    """Every statement in a fork of its own; time is counted from when the process for SQL stands."""
    folder, problems, longest, largest = base / "statements", [], 0.0, 0
    folder.mkdir()
    for text in chosen:
        ended = forked(lambda text=text: _burn(text), folder)
        if ended.code != 2 or ended.problem:
            problems.append(f"{text[:60]}: {ended.problem or ended.text.strip()[-100:] or f'exit code {ended.code}'}")
            continue
        seconds, memory = map(float, ended.text.split()[-2:])
        longest, largest = max(longest, seconds), max(largest, int(memory))
        if seconds > STATEMENT_SECONDS + 5 or memory > 700e6:
            problems.append(f"{text[:60]}: {seconds:.1f} s, {memory / 1e6:.0f} MB")
    done = f"all ended, the longest after {longest:.1f} s, the largest with {largest / 1e6:.0f} MB"
    yield f"{len(chosen)} burning statements", problems, done


def _burn(text: str) -> int:
    from scalecurve.errors import UserError
    from scalecurve.query.executor import database
    from scalecurve.query.executor.run import Limits
    from scalecurve.query.session import Session

    seen, real = [0], database.memory_of
    database.memory_of = lambda process: seen.append(real(process)) or seen[-1]  # type: ignore[func-returns-value]  # append's None is meant
    session = Session("mock", limits=Limits(seconds=STATEMENT_SECONDS), memory=f"{STATEMENT_MEMORY // 10**6}MB")
    session.run("SELECT 1")
    began = time.monotonic()
    try:
        session.run(text)
    except UserError as error:
        took = time.monotonic() - began
        session.run("SELECT 1")
        print(error, took, max(seen))
        return 2
    print("ended well")
    return 0


def files(base: Path, chosen: list[str]) -> Iterator[tuple[str, list[str], str]]:
    """Every kind in a folder of its own: exit code 2, one line, nothing of other files in it."""
    problems, longest = [], 0.0
    for at, name in enumerate(chosen):
        folder = base / f"file-{at}"
        folder.mkdir()
        words = KINDS[name](folder)
        ended = forked(command(*words), folder)
        longest = max(longest, ended.seconds)
        if ended.problem or ended.code != 2 or len(ended.text.splitlines()) != 1 or SECRET in ended.text:
            problems.append(f"{name}: {ended.problem or ended.code}: {ended.text[-160:].strip()}")
    yield f"{len(chosen)} hostile files", problems, f"each told in one line, the longest after {longest:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instants", type=int, default=40, help="kill -9 at so many instants of each command")
    parser.add_argument("--short", action="store_true", help="a few of everything, within a minute")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    import polars  # noqa: F401 - loaded once, used in forks only
    import pydantic  # noqa: F401 - the same

    import scalecurve.cli  # noqa: F401 - the same

    rng = random.Random(given.seed)
    base = Path(tempfile.mkdtemp(prefix="attack"))
    quick = ["data_files: a pipe", "YAML: aliases that multiply", "study: a device"]
    kinds = [
        killed(base, JOBS[:5:2] if given.short else JOBS, 2 if given.short else given.instants, rng),
        endpoint(base),
        statements(base, [BURNING[13]] if given.short else list(BURNING)),
        files(base, quick if given.short else list(KINDS)),
    ]
    bad = 0
    print(f"seed {given.seed}; {base}", flush=True)
    for kind in kinds:
        for name, problems, done in kind:
            bad += bool(problems)
            print(f"{name}: {'; '.join(problems[:5]) if problems else done}", flush=True)
    if not bad:
        shutil.rmtree(base)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
