"""Mutation testing of rooms: how many small changes of the code do the tests notice?

    python benchmarks/mutation.py analysis metrics --tests tests/analysis tests/metrics --out build/mutants

The changes are mutmut's (``pip install mutmut``), made also where mutmut itself leaves the code alone: decorated
functions, constants, defaults. Each is tried against the tests that run the changed line, in a forked process, until
the first fails or they take ten times too long. A change inside a function replaces the code of the function in a
process that has collected the tests; one that is made at import is imported in a fresh one. Fastest tests come first,
and before them those that noticed another change of the same function. docs/testing.md says what was measured.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import importlib.util
import json
import os
import random
import select
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from mutants import Mutant, mutants_of

PYTEST = ["-q", "-s", "--tb=no", "-p", "no:cacheprovider", "-p", "no:warnings"]


# ── Which test runs which line ───────────────────────────────────────────────────────────────────────────────────
class Watch:
    """A pytest plugin: names the running test to coverage, and times it. Set-ups that tests share are theirs alike."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds, self.failed, self.now = coverage, Counter(), [], ""

    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        for name in [name for name in sys.modules if name.startswith("scalecurve.")]:
            for one in vars(sys.modules[name]).values():
                if hasattr(one, "cache_clear"):  # or only the first test would run the line
                    one.cache_clear()
        self.now = item.nodeid
        self.coverage.switch_context(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        if fixturedef.scope != "function":
            self.coverage.switch_context(f"{'' if fixturedef.scope == 'session' else request.node.nodeid}*")
        try:
            return (yield)
        finally:
            self.coverage.switch_context(self.now)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        self.failed += [report.nodeid] if report.failed else []


def measure(tests: list[str], files: list[str], out: Path) -> None:
    """Write to ``out`` the seconds of each test, tests by line, lines run at import, and all modules loaded."""
    import coverage

    cover = coverage.Coverage(include=[os.path.realpath(file) for file in files], data_file=None, config_file=False)
    watch = Watch(cover)
    cover.start()
    pytest.main([*PYTEST, *tests], plugins=[watch])
    cover.stop()
    if watch.failed:
        raise SystemExit(f"tests that fail without any change: {', '.join(watch.failed)}")
    lines: dict[str, dict[int, list[str]]] = {}
    for file in files:
        contexts = cover.get_data().contexts_by_lineno(os.path.realpath(file))
        lines[file] = {
            line: sorted({test for name in names if name for test in watch.seconds if like(test, name)})
            for line, names in contexts.items()
        }
        lines[file][0] = [line for line, names in contexts.items() if "" in names]
    here = os.getcwd()  # what is imported from here a mutant may change
    loaded = [name for name, one in sys.modules.items() if not str(getattr(one, "__file__", None)).startswith(here)]
    out.write_text(json.dumps({"seconds": watch.seconds, "lines": lines, "modules": loaded}))


def like(test: str, context: str) -> bool:
    return test.startswith(context[:-1]) if context.endswith("*") else test == context


# ── One mutant ───────────────────────────────────────────────────────────────────────────────────────────────────
def forked(run: Callable[[], str], limit: float) -> tuple[str, str]:
    """(status, the test that failed) of ``run`` in a forked process of its own group."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            os.dup2(null, handle)
        try:
            os.write(write, run().encode())
        except BaseException as error:  # a mutant may end in any way; this fork must end too
            os.write(write, f"error: {type(error).__name__}: {error}".encode()[:500])
        os._exit(0)
    os.close(write)
    watch = os.pidfd_open(pid)
    ended = select.select([watch], [], [], limit)[0] or select.select([watch], [], [], 0)[0]  # this one may have slept
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # and what a test left running
    os.waitpid(pid, 0)
    said = os.read(read, 1000).decode() if ended else ""
    os.close(watch)
    os.close(read)
    if not ended:
        return "timeout", ""
    return ("error" if said.startswith("error:") else "killed" if said else "survived"), said


class Loop:
    """A pytest plugin that runs mutants in place of the tests it collected."""

    def __init__(self, mutants: list[Mutant], tests: dict[Mutant, list[str]], seconds: dict[str, float], tell: Any):
        self.mutants, self.tests, self.seconds, self.tell = mutants, tests, seconds, tell

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        threads = [Path(f"/proc/self/task/{each}/comm").read_text() for each in os.listdir("/proc/self/task")]
        assert "polars-0\n" not in threads, "a test module computes while it is imported: that cannot be forked"
        items = {item.nodeid: item for item in session.items}
        functions: dict[tuple[str, str], list[FunctionType]] = defaultdict(list)
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and "/scalecurve/" in one.__code__.co_filename:
                functions[os.path.realpath(one.__code__.co_filename), one.__code__.co_qualname].append(one)
        gc.freeze()
        gc.disable()  # nothing is to be collected in a process that lives for seconds
        killers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for mutant in self.mutants:
            known = killers[mutant.path, mutant.function]
            names = sorted(self.tests[mutant], key=lambda name: (-known[name], self.seconds[name]))
            tests = [items[name] for name in names]
            limit = 10 + 10 * sum(self.seconds[name] for name in names)
            found = self.tell(mutant, tests, partial(trial, session, functions, mutant, tests), limit)
            known[found] += 1
        return True


def trial(
    session: pytest.Session, functions: dict[tuple[str, str], list[FunctionType]], mutant: Mutant, tests: list[Any]
) -> str:
    """Give the function, and the functions made in it, the mutant's code; the first test that fails, or ""."""
    path = os.path.realpath(mutant.path)
    stack, new = [compile(mutant.source(), path, "exec", dont_inherit=True)], defaultdict(list)
    while stack:
        code = stack.pop()
        new[code.co_qualname].append(code)
        stack += [const for const in code.co_consts if isinstance(const, CodeType)]
    patched = False
    for name, (code, *more) in new.items():
        if name == mutant.function or name.startswith(mutant.function + ".<locals>"):
            for function in functions.get((path, name), []):
                if not more and len(code.co_freevars) == len(function.__code__.co_freevars):
                    function.__code__ = code
                    patched |= name == mutant.function
    if not patched:
        return f"error: {mutant.function} was not found"
    session.config._tmp_path_factory._given_basetemp = Path(f"/tmp/mutation-{os.getppid()}")
    for item, following in zip(tests, [*tests[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return str(item.nodeid)
    return ""


def imported(mutant: Mutant, tests: list[str]) -> str:
    """Run ``tests`` here with the mutant imported in place of its module; the first that fails, or ""."""
    path, module, failed = os.path.realpath(mutant.path), mutant.module(), []

    class Loader(SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType:
            return compile(mutant.source(), path, "exec", dont_inherit=True)

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: Any) -> Any:
            loader = Loader(name, path)
            return importlib.util.spec_from_file_location(name, path, loader=loader) if name == module else None

    class Failures:
        @staticmethod
        def pytest_runtest_logreport(report: pytest.TestReport) -> None:
            failed.extend([report.nodeid] if report.failed else [])

    sys.meta_path.insert(0, Finder)
    code = pytest.main([*PYTEST, "-x", f"--basetemp=/tmp/mutation-{os.getppid()}", *tests], plugins=[Failures()])
    return (failed or [f"exit {int(code)}"])[0] if code else ""


# ── All ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def apart(work: Callable[[], Any]) -> None:
    """Do ``work`` in a forked process, so that this one loads and computes nothing."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:  # this fork ends here, whatever it was
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("mutation: a part of the work failed, see above")


def summary(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of a table: killed mutants by module, and the 95 % interval (Wilson) of their share overall."""
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for name in (row["path"].split("scalecurve/")[1], "all"):
            groups[name][row["status"]] += 1
    for name, counts in sorted(groups.items(), key=lambda group: (group[0] == "all", group[0])):
        n, killed = counts.total(), counts["killed"] + counts["timeout"]
        share, z = killed / n, 1.96
        middle, reach = share + z * z / 2 / n, z * (share * (1 - share) / n + z * z / 4 / n**2) ** 0.5
        low, high = ((middle + side * reach) / (1 + z * z / n) for side in (-1, 1))
        more = f", {counts['timeout']} by time" if counts["timeout"] else ""
        yield f"{name}: {killed} of {n} killed{more}, {share:.1%} ({low:.1%} to {high:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="+", help="rooms, or modules such as analysis/verdicts/rules.py")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sample", type=int, help="so many of all mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rooms = [Path("src/scalecurve") / room for room in options.rooms]
    paths = [path for room in rooms for path in (sorted(room.glob("*.py")) if room.is_dir() else [room])]
    files = [str(path) for path in paths if path.name != "__init__.py"]

    from hypothesis import HealthCheck, Phase, settings

    calm = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}
    settings.register_profile("mutation", phases=(Phase.explicit, Phase.generate), **calm)
    settings.load_profile("mutation")
    listing, lines = options.out / "mutants.json", options.out / "lines.json"

    def write_listing() -> None:
        every = [mutant for file in files for mutant in mutants_of(Path(file))]
        listing.write_text(json.dumps([asdict(mutant) for mutant in every]))

    apart(write_listing)
    apart(lambda: measure(options.tests, files, lines))
    mutants, known = [Mutant(**one) for one in json.loads(listing.read_text())], json.loads(lines.read_text())
    total, seconds = len(mutants), known["seconds"]
    for name in known["modules"]:  # once, here, rather than in every forked process
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    random.Random(options.seed).shuffle(mutants)  # what is done when it is interrupted is a fair sample too
    mutants = mutants[: options.sample]
    tests: dict[Mutant, list[str]] = {}
    inside, at_import = [], []
    for mutant in mutants:
        by_line = {int(line): found for line, found in known["lines"][mutant.path].items()}
        at_once = by_line.pop(0)
        if mutant.function and mutant.line not in at_once:
            inside.append(mutant)
            tests[mutant] = by_line.get(mutant.line, [])
        else:
            at_import.append(mutant)
            touching = {test for found in by_line.values() for test in found}
            quick = {test for test in seconds if seconds[test] < 0.1}  # a declaration is read without running its lines
            tests[mutant] = sorted(touching | quick, key=lambda test: (test not in touching, seconds[test]))
    print(f"{len(mutants)} of {total} mutants, {len(seconds)} tests of {sum(seconds.values()):.0f} s", flush=True)
    results = (options.out / "results.jsonl").open("w")

    def tell(mutant: Mutant, those: list[Any], run: Callable[[], str], limit: float) -> str:
        began = time.monotonic()
        status, said = forked(run, limit) if those else ("survived", "")
        row = asdict(mutant) | {"status": status, "by": said, "tests": len(those)}
        results.write(json.dumps(row | {"seconds": round(time.monotonic() - began, 3)}) + "\n")
        results.flush()
        return said

    turns = {id(mutant): at for at, mutant in enumerate(mutants)}
    for begin in range(0, len(mutants), 200):  # a few of either kind in turn, for the same reason
        now = [m for m in inside if begin <= turns[id(m)] < begin + 200]
        apart(partial(pytest.main, [*PYTEST, *options.tests], plugins=[Loop(now, tests, seconds, tell)]))
        for mutant in (m for m in at_import if begin <= turns[id(m)] < begin + 200):
            those = tests[mutant]
            limit = 20 + 10 * sum(seconds[name] for name in those)
            tell(mutant, those, partial(imported, mutant, those), limit)
    results.close()
    for line in summary([json.loads(line) for line in (options.out / "results.jsonl").open()]):
        print(line)


if __name__ == "__main__":
    main()
