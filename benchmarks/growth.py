"""Processor seconds and memory of commands on 1, 2 and 4 times the data: python benchmarks/growth.py [--rows 1000].

A table of five models a task is imported and judged; verdicts, report and a query read the run that it becomes. Each
command is a process of its own; processor seconds, which a busy machine changes less than the clock's, are told beside
what the same command takes on a table of one task. --items N imports a table with a row for each of N answered items
instead (eight models, five tasks) and nothing else: python benchmarks/growth.py --items 10000000.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = (1e8, 3e8, 1e9, 3e9, 1e10)
QUERY = "SELECT task, avg(y) FROM curves GROUP BY task ORDER BY 2 LIMIT 5"


def write_table(path: Path, rows: int) -> None:
    """A score of each of five models on every task; a quarter of the tasks rise abruptly."""
    rng = random.Random(0)
    lines = ["model,params_total,task,metric,score,n"]
    for task in range(rows // len(SIZES)):
        for model, size in enumerate(SIZES):
            level = 0.3 + 0.1 * model if task % 4 else 0.25 + 0.5 * (model > 2)
            lines.append(f"m{model},{size:.0f},task{task},acc,{min(1, level + rng.gauss(0, 0.02)):.4f},500")
    path.write_text("\n".join([*lines, ""]))


def write_items(path: Path, rows: int) -> None:
    """A row for each item that each of eight models answered in five tasks."""
    rng = random.Random(1)
    with path.open("w") as file:
        file.write("model,params_total,task,item,metric,score\n")
        for model in range(8):
            head = f"m{model},{10 ** (7 + model // 2) * (1 + 2 * (model % 2))}"
            for task in range(5):
                for item in range(rows // 40):
                    file.write(f"{head},task{task},q{item},acc,{int(rng.random() < 0.2 + 0.08 * model)}\n")


def measured(*words: object) -> tuple[float, float]:
    """Processor seconds and peak MB of ``scalecurve`` with ``words``."""
    command = [sys.executable, "-m", "scalecurve.cli", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="rows of the smallest table")
    parser.add_argument("--items", type=int, help="import a table of so many items instead")
    given = parser.parse_args()
    rows = given.rows
    if given.items:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "items.csv"
            write_items(table, given.items)
            seconds, memory = measured("import", "table", table, "--into", Path(folder) / "run")
        print(f"{given.items:,} items: {seconds:.1f} s, {seconds / given.items * 1e6:.0f} µs an item, {memory:.0f} MB")
        return
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (len(SIZES), rows, 2 * rows, 4 * rows):
            table, run = Path(folder) / f"{count}.csv", Path(folder) / f"run{count}"
            write_table(table, count)
            for name, words in {
                "import table, judged": ("import", "table", table, "--into", run),
                "verdicts": ("verdicts", run, "--json"),
                "report": ("report", run),
                "query": ("query", "--run", run, "--quiet", QUERY),
            }.items():
                found.setdefault(name, []).append(measured(*words))
    print(f"| command | one task | {rows:,} rows | {2 * rows:,} | {4 * rows:,} | a row | peak MB |")
    for name, each in found.items():
        seconds = " | ".join(f"{seconds:.1f}" for seconds, _ in each)
        slope = (each[3][0] - each[1][0]) / (3 * rows) * 1e6
        print(f"| {name} | {seconds} | {slope:.0f} µs | {', '.join(f'{memory:.0f}' for _, memory in each[1:])} |")


if __name__ == "__main__":
    main()
