"""What a Ray cluster of one node costs over running on this machine directly. Bar: 10 %.

    python benchmarks/ray_overhead.py [--limit 100] [--cpus 2] [--rounds 2] [--task REF …]

Starts one Ray node with as many processors as there are models at a time here, then runs the same study both ways in
turns, every run from nothing, and compares wall time of the whole command, and of the answering alone. Both ways must
end with the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
TASKS = ("lab:addition", "lab:chains", "lab:facts", "lab:facts_choice", "lab:rebus", "lab:belief")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start_node(cpus: int, folder: str) -> tuple[subprocess.Popen[bytes], str]:
    """A head node on the loopback interface, and its address."""
    address = f"127.0.0.2:{free_port()}"
    command = [SCRIPTS / "ray", "start", "--head", "--node-ip-address=127.0.0.2", f"--port={address.split(':')[1]}"]
    command += [f"--ray-client-server-port={free_port()}", f"--temp-dir={folder}", "--include-dashboard=false"]
    command += [f"--num-cpus={cpus}", "--object-store-memory=100000000", "--block"]
    log = Path(folder) / "start.log"
    with log.open("wb") as said:
        own = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
        process = subprocess.Popen(command, stdout=said, stderr=said, env=own, start_new_session=True)
    while b"Ray runtime started" not in log.read_bytes():
        if process.poll() is not None:
            sys.exit(log.read_text())
        time.sleep(0.1)
    return process, address


def run(study: Path, out: Path, *options: str) -> tuple[float, float]:
    """Seconds of the command, and of its answering as it says itself."""
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    command = [sys.executable, "-m", "scalecurve.cli", "run", study, "--out", out, "--quiet", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - began, float(json.loads(done.stdout)["seconds"])


def results(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.parquet")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--task", action="append")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        study = Path(folder) / "overhead.toml"
        tasks = ", ".join(f'"{task}"' for task in given.task or TASKS)
        study.write_text(f'models = ["lab"]\ntasks = [{tasks}]\nlimit = {given.limit}\n')
        node, address = start_node(given.cpus, folder)
        here, far = Path(folder) / "here", Path(folder) / "far"
        taken: dict[str, list[tuple[float, float]]] = {"here": [], "far": []}
        try:
            for turn in range(given.rounds):
                for side in ("here", "far") if turn % 2 == 0 else ("far", "here"):
                    if side == "here":
                        taken[side].append(run(study, here, "--workers", str(given.cpus)))
                    else:
                        taken[side].append(run(study, far, "--on", f"ray://{address}"))
                    print(f"{side}: {taken[side][-1][0]:.1f} s, answering {taken[side][-1][1]:.1f} s", flush=True)
            same = results(here) == results(far)
        finally:
            os.killpg(node.pid, signal.SIGTERM)
            node.wait()
    for name, at in (("whole command", 0), ("answering", 1)):
        ours, theirs = (statistics.median(times[at] for times in taken[side]) for side in ("here", "far"))
        print(f"{name}: {ours:.1f} s here, {theirs:.1f} s on Ray with {given.cpus} CPUs; ratio {theirs / ours:.2f}")
    print(f"same bytes: {same}")


if __name__ == "__main__":
    main()
