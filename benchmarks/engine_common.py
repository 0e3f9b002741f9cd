"""What the engine's benchmarks share: the same weights and requests for both sides, and honest timing.

Another busy process can slow one side many times without showing as steal time. So each measurement runs in a process
of its own, between two timings of a matrix product; a pair whose machine changed in between is measured again.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the harness's environment has no scalecurve
    from scalecurve.models import Model
    from scalecurve.types import Output, Request

TASKS = (
    "bigbench:hyperbaton",
    "bigbench:logical_deduction:three_objects",
    "bigbench:date_understanding",
    "bigbench:emoji_movie",
    "bigbench:strategyqa",
)
HARNESS = "lm_eval==0.4.13"
DISTURBED = 0.85  # a matrix product slower than this share of the best seen marks a disturbed measurement


RANDOM = "random:"


def weights(ref: str) -> Path:
    """A directory in transformers format with the float32 weights of a model, the same for both sides.

    ``random:ARCHITECTURE`` is one of ``random_models``, made when it is absent.
    """
    from scalecurve.models import open_model, resolve_rung

    if ref.startswith(RANDOM):
        from random_models import folder

        return folder(ref.removeprefix(RANDOM), Path(tempfile.gettempdir()) / "scalecurve-random-models")
    rung = resolve_rung(ref)
    if rung.backend != "gguf":
        return Path(rung.location)
    from scalecurve.models.gguf import gguf_file, unpacked_folder

    open_model(rung, device="cpu").close()
    folder = unpacked_folder(gguf_file(rung))
    assert folder is not None
    return folder


def questions(ref: str, policy: str, shots: int, limit: int) -> list[dict[str, Any]]:
    """Multiple-choice requests of a task: prompt and options."""
    from scalecurve.strategies.render import build_prompt
    from scalecurve.strategies.shots import draw
    from scalecurve.tasks import load_tasks

    made = []
    for task in load_tasks(ref):
        for query in draw(task, shots, policy, limit=limit):
            options = [option.rstrip("\0") for option in query.example.options]
            if options:
                made.append({"prompt": build_prompt(task, query.example, query.shots), "options": options})
    return made[:limit]


def harness_python(venv: Path) -> Path:
    """The interpreter of an environment with the harness and the torch of this one; made when absent (minutes)."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        if f"lm_eval=={metadata.version('lm_eval')}" == HARNESS:
            return Path(sys.executable)  # it is here already
    python = venv / "bin" / "python"
    if not python.exists():
        import torch

        print(f"installing {HARNESS} into {venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        version = torch.__version__.split("+")[0]
        subprocess.run([str(python), "-m", "pip", "install", "-q", f"torch=={version}"], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", HARNESS, "transformers", "accelerate"], check=True)
    return python


def matmul_rate(size: int = 2048, repeats: int = 5) -> float:
    """The machine's float32 matrix-product rate in FLOP/s, by ``torch.mm``: the best of a few."""
    import torch

    a, b = torch.randn(size, size), torch.randn(size, size)
    return _rate(lambda: torch.mm(a, b), size, repeats)


def onednn_rate(size: int = 2048, repeats: int = 5) -> float:
    """The same by oneDNN, the other library that torch brings, which is the faster one on AMD processors."""
    import torch

    a, b = torch.randn(size, size), torch.randn(size, size)
    return _rate(lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""), size, repeats)


def _rate(product: Callable[[], Any], size: int, repeats: int) -> float:
    import torch

    best = float("inf")
    with torch.inference_mode():
        for _ in range(repeats + 1):
            began = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def resident() -> int:
    """Bytes of memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Peak:
    """Peak memory above what was held when it began, in bytes."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        self.before = resident()

    def above(self) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return max(0, peak * 1024 - self.before)


@contextlib.contextmanager
def taking() -> Iterator[dict[str, Any]]:
    """What the block took, once it has ended: ``seconds``, ``work`` (seconds of the processor) and ``peak`` (bytes)."""
    took: dict[str, Any] = {}
    peak = Peak()
    began, worked = time.perf_counter(), time.process_time()
    yield took
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    took |= {"seconds": seconds, "work": work, "peak": peak.above()}


def outputs_of(model: Model, requests: Sequence[Request]) -> tuple[list[Output], dict[str, Any]]:
    """The model's output for each request, and what they took."""
    found: dict[int, Output] = {}
    with taking() as took:
        model.run(requests, found.__setitem__)
    return [found[at] for at in range(len(requests))], took


def worker(python: str | Path, script: Path, side: str, job: dict[str, Any], threads: int) -> dict[str, Any]:
    """Run ``script --worker side`` on ``job`` in a fresh process; what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        given, told = Path(folder) / "job.json", Path(folder) / "result.json"
        given.write_text(json.dumps(job))
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "passive",  # else threads that wait for a busy processor count as work
            "TOKENIZERS_PARALLELISM": "true",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": str(script.parent),
        }
        done = subprocess.run(
            [str(python), str(script), "--worker", side, str(given), str(told)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
        result: dict[str, Any] = json.loads(told.read_text())
        return result


def serve(sides: dict[str, Any], *, timed: bool = True) -> bool:
    """In a worker process, do its job and say so; ``timed``: between two timings of a matrix product."""
    if len(sys.argv) < 2 or sys.argv[1] != "--worker":
        return False
    _, _, side, given, told = sys.argv
    job = json.loads(Path(given).read_text())
    rates = [matmul_rate()] if timed else []
    result = sides[side](job)
    result["rates"] = [*rates, matmul_rate()] if timed else []
    Path(told).write_text(json.dumps(result))
    return True


def pair(
    ours: tuple[str | Path, str],
    theirs: tuple[str | Path, str],
    script: Path,
    job: dict[str, Any],
    threads: int,
    tries: int = 3,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides in turn, again (at most ``tries`` times) while the machine was disturbed."""
    best_rate = 0.0
    for _ in range(tries):
        a = worker(*ours[:1], script, ours[1], job, threads)
        b = worker(*theirs[:1], script, theirs[1], job, threads)
        rates = [*a["rates"], *b["rates"]]
        best_rate = max(best_rate, *rates)
        a["disturbed"] = b["disturbed"] = min(rates) < DISTURBED * best_rate
        if not a["disturbed"]:
            break
    return a, b
