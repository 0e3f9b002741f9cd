"""A Ray cluster of two nodes on this machine, and a Slurm of shell scripts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCRIPTS = Path(sys.executable).parent
HEAD, NODE = "127.0.0.2", "127.0.0.3"  # Ray puts "localhost" down as the machine's outer address
RAY = {
    "RAY_AUTH_MODE": "disabled",  # whether or not this machine's user has a token
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # by its own 15 workers stand still while other tests compute
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """A process and all that it has started, and those again."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def kill_tree(pid: int) -> None:
    """kill -9 of a process and all its descendants, as when a machine goes down."""
    for each in descendants(pid):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


class Cluster:
    """Two nodes of one processor each: processes of their own, joined through the head's port."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="r", dir="/tmp")  # a socket's path may have 107 letters
        self.address = f"{HEAD}:{free_port()}"
        port, client = self.address.partition(":")[2], free_port()
        head = ("--head", f"--port={port}", f"--ray-client-server-port={client}", f"--temp-dir={self.folder.name}")
        self.head = self._start(HEAD, *head, "--include-dashboard=false")
        self.node = self.join()

    def join(self) -> subprocess.Popen[bytes]:
        """Start the second node."""
        return self._start(NODE, f"--address={self.address}")

    def _start(self, ip: str, *options: str) -> subprocess.Popen[bytes]:
        common = (f"--node-ip-address={ip}", "--num-cpus=1", "--object-store-memory=80000000", "--block")
        command = [str(SCRIPTS / "ray"), "start", *options, *common]
        log = Path(self.folder.name) / f"start{time.monotonic_ns()}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | RAY, start_new_session=True)
        for _ in range(600):
            if b"Ray runtime started" in log.read_bytes():
                return process
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def actors(self, of: subprocess.Popen[bytes]) -> list[int]:
        """The processes on a node that compute for a run."""
        found = []
        for pid in descendants(of.pid):
            try:
                if b"ray::Actor" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
            except OSError:
                continue
        return found

    def stop(self) -> None:
        for process in (self.node, self.head):
            kill_tree(process.pid)
            process.wait()
        self.folder.cleanup()


SBATCH = """#!{python}
import json, os, shlex, subprocess, sys
from pathlib import Path
state = Path(os.environ["FAKE_SLURM"])
script = Path(sys.argv[-1])
lines = [line[8:] for line in script.read_text().splitlines() if line.startswith("#SBATCH --")]
told = dict(shlex.split(line)[0][2:].partition("=")[::2] for line in lines)
job = 100 + len(list(state.glob("job-*.json")))
tasks = {{}}
for number in told["array"].split(","):
    log = told["output"].replace("%A", str(job)).replace("%a", number)
    with open(log, "wb") as said:
        own = os.environ | {{"SLURM_ARRAY_TASK_ID": number, "SLURM_JOB_ID": str(job)}}
        how = {{"stdout": said, "stderr": said, "env": own, "start_new_session": True}}
        queued = 'while [ -e "$FAKE_SLURM/hold" ]; do sleep 0.05; done; exec sh "$0"'
        tasks[number] = subprocess.Popen(["sh", "-c", queued, str(script)], **how).pid
(state / f"job-{{job}}.json").write_text(json.dumps({{"tasks": tasks, "options": sys.argv[1:-1], "told": told}}))
print(f"{{job}};here")
"""

SQUEUE = """#!{python}
import json, os, sys
from pathlib import Path
job = next(word[7:] for word in sys.argv if word.startswith("--jobs="))
path = Path(os.environ["FAKE_SLURM"]) / f"job-{{job}}.json"
if not path.exists():
    sys.exit("slurm_load_jobs error: Invalid job id specified")
for number, pid in json.loads(path.read_text())["tasks"].items():
    try:
        state = Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        continue
    if state != "Z":
        print(f"{{job}}_{{number}}")
"""


class FakeSlurm:
    """``sbatch`` and ``squeue`` that run array tasks as processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self.state, commands = folder / "slurm", folder / "bin"
        self.state.mkdir()
        commands.mkdir()
        for name, text in (("sbatch", SBATCH), ("squeue", SQUEUE)):
            path = commands / name
            path.write_text(text.format(python=sys.executable))
            path.chmod(0o755)
        self.environment = {"PATH": f"{commands}:{os.environ['PATH']}", "FAKE_SLURM": str(self.state)}

    def hold(self) -> None:
        """Let array tasks wait in the queue until they are released."""
        (self.state / "hold").touch()

    def release(self) -> None:
        (self.state / "hold").unlink()

    def jobs(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.state.glob("job-*.json"))]

    def stop(self) -> None:
        for job in self.jobs():
            for pid in job["tasks"].values():
                kill_tree(pid)
