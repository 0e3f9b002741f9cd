"""What a Ray cluster of one node costs over running on this machine directly. Bar: 10 %.

    python benchmarks/ray_overhead.py [--limit 100] [--cpus 2] [--rounds 2] [--task REF …]

Starts one Ray node with as many processors as there are models at a time here, then runs the same study both ways in
turns, every run from nothing, and compares wall time of the whole command, and of the answering alone; and, as root on
Linux, processor time of all processes of a side (Ray's own among them), which other work hardly disturbs. Both ways
must end with the same bytes.
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
from contextlib import suppress
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
TASKS = ("lab:addition", "lab:links", "lab:facts", "lab:facts_choice", "lab:rebus", "lab:belief")


class Account:
    """A control group: processor seconds of the processes begun in it, and of theirs. NaN where there can be none."""

    def __init__(self, name: str) -> None:
        self.folder: Path | None = None
        for base in ("/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"):
            made = Path(base) / f"scalecurve-{os.getpid()}-{name}"
            try:
                made.mkdir()
            except OSError:
                continue
            if (made / "cgroup.procs").exists():
                self.folder = made
                return

    def within(self, command: list[str | Path]) -> list[str | Path]:
        """The command, begun in the group."""
        if self.folder is None:
            return command
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self.folder, *command]

    def seconds(self) -> float:
        if self.folder is None:
            return float("nan")
        if (self.folder / "cpuacct.usage").exists():
            return int((self.folder / "cpuacct.usage").read_text()) / 1e9
        return int((self.folder / "cpu.stat").read_text().split()[1]) / 1e6

    def close(self) -> None:
        if self.folder is not None:
            with suppress(OSError):  # a process that is slow to end
                self.folder.rmdir()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start_node(cpus: int, folder: str, account: Account) -> tuple[subprocess.Popen[bytes], str]:
    """A head node on the loopback interface, and its address."""
    address = f"127.0.0.2:{free_port()}"
    command: list[str | Path] = [
        SCRIPTS / "ray",
        "start",
        "--head",
        "--node-ip-address=127.0.0.2",
        f"--port={address.split(':')[1]}",
    ]
    command += [f"--ray-client-server-port={free_port()}", f"--temp-dir={folder}", "--include-dashboard=false"]
    command += [f"--num-cpus={cpus}", "--object-store-memory=100000000", "--block"]
    log = Path(folder) / "start.log"
    with log.open("wb") as said:
        own = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
        process = subprocess.Popen(account.within(command), stdout=said, stderr=said, env=own, start_new_session=True)
    while b"Ray runtime started" not in log.read_bytes():
        if process.poll() is not None:
            sys.exit(log.read_text())
        time.sleep(0.1)
    return process, address


def run(account: Account, study: Path, out: Path, *options: str) -> tuple[float, float, float]:
    """Seconds of the command, of its answering as it says itself, and of processors."""
    shutil.rmtree(out, ignore_errors=True)
    began, before = time.perf_counter(), account.seconds()
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "scalecurve.cli",
        "run",
        study,
        "--out",
        out,
        "--quiet",
        "--json",
        *options,
    ]
    done = subprocess.run(account.within(command), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - began, float(json.loads(done.stdout)["seconds"]), account.seconds() - before


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
        accounts = {side: Account(side) for side in ("here", "far")}
        node, address = start_node(given.cpus, folder, accounts["far"])
        here, far = Path(folder) / "here", Path(folder) / "far"
        taken: dict[str, list[tuple[float, float, float]]] = {"here": [], "far": []}
        try:
            for turn in range(given.rounds):
                for side in ("here", "far") if turn % 2 == 0 else ("far", "here"):
                    if side == "here":
                        taken[side].append(run(accounts[side], study, here, "--workers", str(given.cpus)))
                    else:
                        taken[side].append(run(accounts[side], study, far, "--on", f"ray://{address}"))
                    whole, answering, processors = taken[side][-1]
                    print(
                        f"{side}: {whole:.1f} s, answering {answering:.1f} s, processors {processors:.1f} s", flush=True
                    )
            same = results(here) == results(far)
        finally:
            os.killpg(node.pid, signal.SIGTERM)
            node.wait()
            for account in accounts.values():
                account.close()
    for name, at in (("whole command", 0), ("answering", 1), ("processor time", 2)):
        ours, theirs = (statistics.median(times[at] for times in taken[side]) for side in ("here", "far"))
        print(f"{name}: {ours:.1f} s here, {theirs:.1f} s on Ray with {given.cpus} CPUs; ratio {theirs / ours:.2f}")
    print(f"same bytes: {same}")


if __name__ == "__main__":
    main()
