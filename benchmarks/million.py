"""A run of a million outputs: time and peak memory of every command that reads it, each in a process of its own.

    python benchmarks/million.py [FOLDER] [--outputs N] [--only NAME,NAME]

Eight sizes of Pythia × 25 multiple-choice tasks × 5,000 questions, written as lm-evaluation-harness logs samples
(scores rise with size, some sharply), then imported, judged, reported, exported, viewed and queried. In FOLDER, where
one is given, files stay, and what is there is not made again. Bar: no command above 4 GB.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

SIZES = ("14m", "70m", "160m", "410m", "1b", "2.8b", "6.9b", "12b")
TASKS, OPTIONS, LIMIT_MB = 25, 4, 4000
WORDS = """the of river town sold before after grain letter seven north whether engineer copper bridge winter price
of market claims council under three sailors measured garden nobody answered report without a distant signal""".split()
COMMAND = [sys.executable, "-c", "from scalecurve.cli import main; main()"]
SQL = {
    "query: count and group": "SELECT rung, count(*) AS n, avg(prompt_tokens) AS t FROM outputs GROUP BY 1 ORDER BY 1",
    "query: scores joined with outputs": "SELECT o.rung, avg(s.value) AS v, avg(len(o.prompt)) AS n FROM outputs o"
    " JOIN scores s USING (rung, task, example_id) WHERE s.metric = 'acc' GROUP BY o.rung ORDER BY 2",
    "query: hardest questions": "SELECT task, example_id, avg(value) AS v FROM scores WHERE metric = 'acc'"
    " GROUP BY ALL ORDER BY v, task, example_id LIMIT 20",
    "query: text search": "SELECT count(*) AS n FROM outputs WHERE prompt LIKE '%copper bridge%'",
}  # fmt: skip


# ── The files to import ──────────────────────────────────────────────────────────────────────────────────────
def write_results(folder: Path, outputs: int) -> None:
    """Results and samples of every size, as the harness leaves them."""
    questions = max(1, outputs // (len(SIZES) * TASKS))
    for place, size in enumerate(SIZES):
        own = folder / f"EleutherAI__pythia-{size}"
        own.mkdir(parents=True)
        results: dict[str, dict[str, object]] = {"results": {}, "versions": {}, "n-shot": {}, "n-samples": {}}
        for number in range(TASKS):
            task = f"ability_{number:02d}"
            share = _share(number, place)
            with open(own / f"samples_{task}_2026-01-01T00-00-00.jsonl", "w") as file:
                right = 0
                for at, line in enumerate(_lines(task, number, share, questions, seed=1000 * place + number)):
                    right += line["acc"]
                    file.write(json.dumps(line | {"doc_id": at}) + "\n")
            mean = right / questions
            se = math.sqrt(mean * (1 - mean) / questions)
            results["results"][task] = {"alias": task, "acc,none": mean, "acc_stderr,none": se}
            results["versions"][task], results["n-shot"][task] = 1, 0
            results["n-samples"][task] = {"original": questions, "effective": questions}
        told = {"config": {"model_args": f"pretrained=EleutherAI/pythia-{size}"}}
        (own / "results_2026-01-01T00-00-00.json").write_text(json.dumps(results | told))


def _share(number: int, place: int) -> float:
    """How often a model chooses right: flat, smooth, or jumping at a size of the task's own."""
    if number % 5 == 0:
        return 0.25
    if number % 5 == 1:
        return 0.25 + 0.7 / (1 + math.exp(-4 * (place - 2 - number % 4)))
    return 0.25 + 0.08 * place


def _lines(task: str, number: int, share: float, questions: int, seed: int) -> Iterator[dict[str, object]]:
    asks, rng = random.Random(number), random.Random(seed)
    for at in range(questions):
        text = " ".join(asks.choices(WORDS, k=60))
        options = [f"{' '.join(asks.choices(WORDS, k=2))} {place}" for place in range(OPTIONS)]
        gold = asks.randrange(OPTIONS)
        best = gold if rng.random() < (share - 0.25) / 0.75 else rng.randrange(OPTIONS)
        logs = [-rng.uniform(2, 20) - (0 if place == best else 20) for place in range(OPTIONS)]
        context = f"Question: {text} {at}?\nAnswer:"
        yield {
            "doc": {"question": f"{text} {at}?", "choices": options, "gold": gold},
            "target": str(gold),
            "arguments": {f"gen_args_{i}": {"arg_0": context, "arg_1": f" {options[i]}"} for i in range(OPTIONS)},
            "resps": [[[str(log), "False"]] for log in logs],
            "filtered_resps": [[str(log), "False"] for log in logs],
            "filter": "none",
            "metrics": ["acc"],
            "doc_hash": f"{number:02x}{at:062x}",
            "acc": int(best == gold),
        }


# ── Measuring ────────────────────────────────────────────────────────────────────────────────────────────────
def measured(name: str, arguments: list[str]) -> bool:
    """Run a command; print its seconds, those of processors, and peak memory. Whether it ended well, below the bar."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([*COMMAND, *arguments], stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    worked = usage.ru_utime + usage.ru_stime
    return _tell(name, time.monotonic() - began, worked, usage.ru_maxrss / 1024, text if child.returncode else "")


def viewed(run: Path) -> list[bool]:
    """Start ``view``, open the page and the examples of two tasks."""
    began = time.monotonic()
    server = subprocess.Popen([*COMMAND, "view", str(run), "--no-open"], stdout=subprocess.PIPE, text=True)
    good, before = [], 0.0
    try:
        address = re.match(r"(\S+)", server.stdout.readline())[1]
        for name, path in (("view: the page", ""), ("view: examples", "examples/1"), ("view: others", "examples/7")):
            with urllib.request.urlopen(address + path) as reply:
                size = len(reply.read())
            told = Path(f"/proc/{server.pid}")
            peak = int(re.search(r"VmHWM:\s+(\d+)", (told / "status").read_text())[1]) / 1024
            ticks = (told / "stat").read_text().rpartition(")")[2].split()[11:13]
            worked = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
            good.append(_tell(f"{name} ({size / 1e6:.1f} MB)", time.monotonic() - began, worked - before, peak))
            before = worked
            began = time.monotonic()
    finally:
        server.terminate()
        server.wait()
    return good


def _tell(name: str, seconds: float, worked: float, peak: float, wrong: str = "") -> bool:
    above = "  ABOVE" if peak > LIMIT_MB else ""
    print(f"{name:40} {seconds:8.1f} s {worked:8.1f} s of processors {peak:8.0f} MB{above}", flush=True)
    if wrong:
        print(wrong[-2000:])
    return not wrong and peak <= LIMIT_MB


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--outputs", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="names of steps, by their beginning")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = told.folder or Path(scratch)
        source, run, kept, again = (folder / name for name in ("in", "run", "export", "again"))
        if not source.exists():
            began = time.monotonic()
            write_results(source, told.outputs)
            size = sum(file.stat().st_size for file in source.rglob("*.jsonl"))
            print(f"{told.outputs:,} samples, {size / 1e9:.2f} GB, {time.monotonic() - began:.0f} s", flush=True)
        steps = [
            ("import: lm-eval", ["import", "lm-eval", str(source), "--into", str(run)], run),
            ("curves", ["curves", str(run)], None),
            ("verdicts", ["verdicts", str(run)], None),
            ("verdicts: on another axis", ["verdicts", str(run), "--axis", "training_flops"], None),
            ("report", ["report", str(run)], None),
            ("scores extraction", ["scores", "extraction", str(run), "--all"], None),
            ("rescore", ["rescore", str(run)], None),
            ("export: parquet", ["export", "parquet", str(run), "--out", str(kept)], kept),
            ("import: that export", ["import", "scalecurve", str(kept), "--into", str(again)], again),
            ("export: csv", ["export", "csv", str(run), "--out", str(folder / "csv")], folder / "csv"),
            ("export: lm-eval", ["export", "lm-eval", str(run), "--out", str(folder / "lm")], folder / "lm"),
            *((name, ["query", sql, "--run", str(run), "--no-cache", "--quiet"], None) for name, sql in SQL.items()),
        ]  # fmt: skip
        only = [one for one in told.only.split(",") if one]
        good = []
        for name, arguments, made in steps:
            if any(name.startswith(one) for one in only) or not only:
                if made is not None and made.exists():
                    shutil.rmtree(made)
                good.append(measured(name, arguments))
        if not only or "view" in only:
            good += viewed(run)
        sys.exit(not all(good))


if __name__ == "__main__":
    main()
