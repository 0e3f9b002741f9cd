"""Time and peak memory of the embedded study, run as a user runs it. Bars: 180 s and 1 GB on two cores.

    python benchmarks/study.py [--limit N]

Also times the same command on the finished run, which should compute nothing, and a rescore.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BAR_SECONDS, BAR_BYTES = 180.0, 1e9


def family_of(pid: int) -> list[int]:
    """A process and all its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def resident(pid: int) -> float:
    """Bytes of memory a process keeps, what it shares divided among the sharers."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return 1024.0 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory (bytes, all its processes together) of a command; ends the benchmark when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.25):
            peak = max(peak, sum(map(resident, family_of(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        sys.exit(f"{' '.join(command)}: exit code {code}")
    return time.perf_counter() - began, peak


def main() -> None:
    script = str(Path(sys.executable).with_name("scalecurve"))
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        study = [script, "study", "--out", out, "--quiet", *sys.argv[1:]]
        seconds, peak = measured(study)
        again, _ = measured(study)
        rescored, _ = measured([script, "rescore", out])
    print(f"cores: {os.cpu_count()}")
    print(f"study:    {seconds:6.1f} s, peak {peak / 1e9:.2f} GB")
    print(f"again:    {again:6.1f} s (everything is on disk)")
    print(f"rescore:  {rescored:6.1f} s")
    print(f"time / bar of {BAR_SECONDS:.0f} s: {seconds / BAR_SECONDS:.2f}")
    print(f"memory / bar of 1 GB: {peak / BAR_BYTES:.2f}")


if __name__ == "__main__":
    main()
