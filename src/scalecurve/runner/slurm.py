"""A plan's parts as Slurm array jobs, through plain ``sbatch``; the run directory must be on a disk all nodes share.

An array task is a *share*: one model and some of its parts. It does what ``ModelRun.go`` does on any machine, and notes
in ``slurm/share-N.json`` how it goes. The driver submits, follows the notes, and in the end counts the parts from disk,
as a run that is continued does. When the driver is killed the jobs go on; the same command finds them by their numbers
in ``slurm/jobs.json``, waits on, and submits again only what is missing when none of them is left in the queue.
"""

from __future__ import annotations

import json
import math
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.runner.model_run import Listener, ModelRun, Silent
from scalecurve.runner.part import Opened, Part, weight
from scalecurve.runner.resources import Resources, resources_of
from scalecurve.store import RunDirectory
from scalecurve.store.atomic import write_bytes

FIRST_POLL, LAST_POLL = 0.5, 15.0  # seconds between looks at the queue: short jobs are seen soon, long ones cost little
NOTE_SECONDS = 5.0
WHOLE_NODE = 8.0  # processors asked for a large model without GPU; options.resources says better


@dataclass(frozen=True, slots=True)
class Share:
    """Array task ``number``: every ``count``-th part, from the ``index``-th on, of rung number ``rung``."""

    number: int
    rung: int
    index: int
    count: int

    def has(self, part: Part) -> bool:
        return (part.task + part.index) % self.count == self.index


def shares_of(jobs: Sequence[ModelRun], wanted: int | None) -> list[Share]:
    """One share a rung, and up to ``wanted`` in all: each further one to the rung whose shares are the heaviest."""
    counts = [1] * len(jobs)
    for _ in range(max(0, (wanted or 0) - len(jobs))):
        heaviest = max(range(len(jobs)), key=lambda at: weight(jobs[at].rung) / counts[at])
        counts[heaviest] += 1
    each = [(rung, index, count) for rung, count in enumerate(counts) for index in range(count)]
    return [Share(number, *own) for number, own in enumerate(each)]


# ── A share, on a node ───────────────────────────────────────────────────────────────────────────────────────
class _Scribe:
    """The listener of a share: writes down now and then how it goes, for the driver to read."""

    def __init__(self, run: RunDirectory, share: Share, job: ModelRun) -> None:
        self.path = _note_path(run, share.number)
        self.job, self.work, self.noted = job, 0.0, 0.0
        self.before = {key: cell.seconds for key, cell in job.state.cells.items()}

    def rung(self, name: str) -> None:
        print(name, flush=True)

    def task(self, rung: str, ref: str, questions: int) -> None:
        print(f"{rung} × {ref}", flush=True)

    def requests(self, done: int, total: int) -> None: ...

    def advance(self, work: float, computed: bool) -> None:
        self.work += work

    def note(self, text: str) -> None:
        print(text, flush=True)

    def changed(self) -> None:
        if time.monotonic() - self.noted > NOTE_SECONDS:
            self.write(finished=False)

    def write(self, *, finished: bool) -> None:
        state = self.job.state
        failed = {cell.task: record.reason for cell, record in state.cells.items() if record.status == "failed"}
        note = {
            "opened": asdict(state.opened) if state.opened else None,
            "failed": failed,
            "seconds": {cell.key: record.seconds - self.before[cell] for cell, record in state.cells.items()},
            "computed": state.computed,
            "work": self.work,
            "finished": finished,
        }
        write_bytes(self.path, json.dumps(note).encode())
        self.noted = time.monotonic()


def do_share(run: RunDirectory, jobs: Sequence[ModelRun], number: int) -> None:
    """Compute what is missing of one share, on the machine this runs on."""
    shares = [Share(**share) for share in _read(run.submitted).get("shares", [])]
    if not 0 <= number < len(shares):
        raise UserError(f"{run.submitted}: has no share {number}; submit with `scalecurve run … --on slurm`")
    share = shares[number]
    scribe = _Scribe(run, share, jobs[share.rung])
    jobs[share.rung].go(scribe, scribe.changed, share.has)
    scribe.write(finished=True)


# ── The driver ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class SlurmExecutor:
    """Submits array jobs and waits for them. ``wanted``: array tasks in all (one a rung when None); ``options`` go to
    ``sbatch`` as they are."""

    wanted: int | None = None
    options: Sequence[str] = ()

    def run(self, jobs: Sequence[ModelRun], listener: Listener, changed: Callable[[], None]) -> None:
        directory = jobs[0].directory
        record = _read(directory.submitted)
        whole = {number for number, job in enumerate(jobs) if job.from_disk(listener)}
        if len(whole) < len(jobs):
            if not shutil.which("sbatch"):
                raise UserError("--on slurm: no `sbatch` on this machine; run this where jobs are submitted")
            waiting = sum(len(_alive(job)) for job in record.get("jobs", []))
            if waiting:
                listener.note(f"{waiting} array tasks of before are still in the queue; waiting for them")
            else:
                shares = shares_of(jobs, self.wanted)
                record = _submit(directory, jobs, whole, record, shares, self.options, listener)
            _follow(directory, jobs, record, listener)
        _gather(directory, jobs, whole, record)
        changed()


def _submit(
    run: RunDirectory,
    jobs: Sequence[ModelRun],
    whole: set[int],
    before: dict[str, Any],
    shares: list[Share],
    options: Sequence[str],
    listener: Listener,
) -> dict[str, Any]:
    """Submit the shares of which something is missing: one array job for each kind of machine they need.

    ``whole``: rungs of which nothing is. ``before`` is the record of an earlier submission. Returns that of this one,
    as kept in ``slurm/jobs.json``.
    """
    device = jobs[0].plan.study.device
    needs = [resources_of(job.rung, node_cpus=WHOLE_NODE, has_gpus=device.startswith("cuda")) for job in jobs]
    known = _known(run, jobs)
    groups: dict[Resources, list[Share]] = {}
    for share in shares:
        if share.rung in whole:
            continue
        if share.rung not in known or _lacks(jobs[share.rung], known[share.rung], share):
            groups.setdefault(needs[share.rung], []).append(share)
    if not before.get("gathered", True):
        _add_seconds(run, jobs, [Share(**share) for share in before["shares"]])
    for path in _folder(run).glob("share-*.json"):
        path.unlink()
    opened = {str(rung): asdict(each) for rung, each in known.items()}
    record: dict[str, Any] = {"shares": [asdict(share) for share in shares], "jobs": [], "opened": opened}
    record["gathered"] = False
    _write(run.submitted, record)  # before the first job can begin
    for at, (need, group) in enumerate(groups.items()):
        script = _folder(run) / f"job-{at}.sh"
        write_bytes(script, _script(run, jobs[0], need, group).encode())
        told = subprocess.run(
            ["sbatch", "--parsable", *options, str(script)], capture_output=True, text=True, check=False
        )
        if told.returncode:
            said = " ".join((told.stderr or told.stdout).split())[:200]
            raise UserError(f"--on slurm: sbatch refused {script}: {said}; see --sbatch")
        number = told.stdout.strip().partition(";")[0]
        record["jobs"].append({"id": number, "shares": [share.number for share in group]})
        _write(run.submitted, record)
        models = len({share.rung for share in group})
        listener.note(f"job {number}: {len(group)} array tasks for {models} models, each with {need}")
    if groups:
        listener.note(f"the jobs go on without this process; their logs are in {_folder(run)}")
    return record


def _script(run: RunDirectory, job: ModelRun, need: Resources, group: Sequence[Share]) -> str:
    """The batch script of one array job."""
    numbers = ",".join(str(share.number) for share in group)
    log = str(_folder(run)).replace("%", "%%") + "/%A_%a.log"
    lines = [
        "#!/bin/sh",
        f"#SBATCH --job-name=scalecurve-{job.plan.study.name}",
        f"#SBATCH --array={numbers}",
        f"#SBATCH --output={shlex.quote(log)}",
        f"#SBATCH --cpus-per-task={max(1, math.ceil(need.cpus))}",
    ]
    if need.gpus:
        lines.append(f"#SBATCH --gres=gpu:{math.ceil(need.gpus)}")
    options = " --retry-failed" if job.retry_failed else ""
    if any(way.function for way in job.plan.ways.values()):  # the driver was told that it may
        options += " --allow-code"
    command = f"{shlex.quote(sys.executable)} -m scalecurve.cli work {shlex.quote(str(run.path.resolve()))}"
    return "\n".join([*lines, f'exec {command} "$SLURM_ARRAY_TASK_ID"{options}', ""])


def _follow(run: RunDirectory, jobs: Sequence[ModelRun], record: dict[str, Any], listener: Listener) -> None:
    """Wait until every submitted share has noted its end or has left the queue; tell of the progress meanwhile."""
    shares, submitted = [Share(**share) for share in record["shares"]], record["jobs"]
    open_ = {number for job in submitted for number in job["shares"]}
    work: dict[int, float] = {}
    begun: set[int] = set()
    gone: Counter[int] = Counter()
    pause = FIRST_POLL
    while open_:
        alive = {number for job in submitted for number in _alive(job)}
        for number in sorted(open_):
            note, rung = _read(_note_path(run, number)), shares[number].rung
            if note.get("opened") and rung not in begun:
                begun.add(rung)
                listener.rung(jobs[rung].rung.name)
            advanced = float(note.get("work", 0.0)) - work.get(number, 0.0)
            if advanced > 0:
                listener.advance(advanced, True)
                work[number] = work.get(number, 0.0) + advanced
            gone[number] = 0 if number in alive else gone[number] + 1
            if note.get("finished") or gone[number] > 1:  # a shared disk may show a node's last words late
                open_.discard(number)
        if open_:
            time.sleep(pause)
            pause = min(1.2 * pause, LAST_POLL)


def _gather(run: RunDirectory, jobs: Sequence[ModelRun], whole: set[int], record: dict[str, Any]) -> None:
    """Count the parts of rungs not known to be ``whole`` from disk; what is missing failed, as its share noted or
    because its job ended. What shares noted of their time is taken over once."""
    shares = [Share(**share) for share in record.get("shares", [])]
    known = _known(run, jobs)
    for number, job in enumerate(jobs):
        if number in whole:
            continue
        notes = [_read(_note_path(run, share.number)) for share in shares if share.rung == number]
        said = {ref: why for note in notes for ref, why in note.get("failed", {}).items()}
        ended = f"its Slurm job ended before it was done; see the logs in {_folder(run)}"
        if number not in known:
            job.fail(UserError(next(iter(said.values()), ended)))
            continue
        job.begin(known[number])
        for at, task in enumerate(job.plan.tasks):
            if list(job.missing(at, Silent())):
                job.fail_task(at, UserError(said.get(task.ref, ended)))
    if not record.get("gathered", True):
        _add_seconds(run, jobs, shares)
        _write(run.submitted, _read(run.submitted) | {"gathered": True})


def _add_seconds(run: RunDirectory, jobs: Sequence[ModelRun], shares: Sequence[Share]) -> None:
    """Take over what the shares noted of the time they took and the answers they computed."""
    for share in shares:
        note, state = _read(_note_path(run, share.number)), jobs[share.rung].state
        state.computed += int(note.get("computed", 0))
        for cell, record in state.cells.items():
            record.seconds += float(note.get("seconds", {}).get(cell.key, 0.0))


def _lacks(job: ModelRun, opened: Opened, share: Share) -> bool:
    """Whether something of a share is not on disk."""
    job.begin(opened)
    return any(share.has(part) for at in range(len(job.plan.tasks)) for part, found in job.look(at) if not found)


def _known(run: RunDirectory, jobs: Sequence[ModelRun]) -> dict[int, Opened]:
    """Rung number → what is known of its model from the shares that opened it. ``UserError`` when they differ."""
    record = _read(run.submitted)
    known = {int(rung): Opened(**opened) for rung, opened in record.get("opened", {}).items()}
    for share in (Share(**share) for share in record.get("shares", [])):
        opened = _read(_note_path(run, share.number)).get("opened")
        if opened and known.setdefault(share.rung, Opened(**opened)).fingerprint != opened["fingerprint"]:
            name = jobs[share.rung].rung.name
            raise UserError(f"{name}: two nodes opened different weights; put the same on all nodes")
    return known


def _alive(job: dict[str, Any]) -> list[int]:
    """The shares of a submitted job that are waiting or running."""
    told = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%i", f"--jobs={job['id']}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:  # an unknown number has left the queue; a controller that does not answer says nothing
        return [] if "invalid job id" in told.stderr.lower() else list(job["shares"])
    numbers = {line.strip().partition("_")[2] for line in told.stdout.splitlines()}
    return [number for number in job["shares"] if str(number) in numbers]


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────
def _folder(run: RunDirectory) -> Path:
    return run.submitted.parent.resolve()


def _note_path(run: RunDirectory, number: int) -> Path:
    return _folder(run) / f"share-{number}.json"


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of ours; empty when it is not there."""
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run the study again") from None


def _write(path: Path, record: dict[str, Any]) -> None:
    write_bytes(path, json.dumps(record, indent=1).encode())
