"""A study on a Ray cluster of two nodes: the bits of a local run, whichever process is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

from cluster import Cluster, kill_tree
from completions import CompletionsServer
from kept import parts, results

from scalecurve.store import RunDirectory, read_outputs

pytestmark = pytest.mark.slow

SCRIPT = Path(sys.executable).with_name("scalecurve")
TASKS = """
tasks = ["lab:addition:2_digits", "lab:rebus:title"]
limit = 24
part_size = 4
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[CompletionsServer]:
    made = CompletionsServer(0.02)
    yield made
    made.close()


@pytest.fixture(scope="module")
def study(server: CompletionsServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two models behind ``server``."""
    rungs = "".join(
        f'[[models]]\nname = "{name}"\nbackend = "endpoint"\nlocation = "{server.url}"\nparams_non_embedding = {size}\n'
        f"options = {{ concurrency = 2 }}\n"
        for name, size in (("small", 10**6), ("large", 10**8))
    )
    path = tmp_path_factory.mktemp("far") / "far.toml"
    path.write_text(f'name = "far"{TASKS}{rungs}')
    return path


@pytest.fixture(scope="module")
def clean(study: Path) -> dict[str, bytes]:
    """The results of that study, run on this machine."""
    ended(start(study, study.parent / "clean", "--quiet"))
    return results(study.parent / "clean")


def start(study: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [SCRIPT, "run", study, "--out", out, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    said, err = process.communicate(timeout=300)
    assert process.returncode == 0, said + err
    return err


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def repeats(server: CompletionsServer, out: Path) -> Counter[tuple[str, str]]:
    """(model, task) → prompts that a model was asked more often than its run needs."""
    prompts = read_outputs(RunDirectory(out)).select("rung", "task", "prompt").collect().rows()
    surplus: Counter[tuple[str, str]] = Counter()
    for rung, task, prompt in dict.fromkeys(prompts):
        of_prompt = [
            times for (model, text), times in server.asked.items() if model == rung and text.startswith(prompt)
        ]
        surplus[rung, task] += any(times > min(of_prompt) for times in of_prompt) or min(of_prompt) > 1
    return surplus


def test_two_nodes_give_the_bits_of_one_machine(cluster: Cluster, tmp_path: Path) -> None:
    study = tmp_path / "two.toml"
    study.write_text(f'name = "two"\nstrategies = ["direct", "chain_of_thought"]{TASKS}'
                     '[[models]]\nref = "lab"\nrungs = ["lab-3k", "lab-12k"]\n')  # fmt: skip
    far = start(study, tmp_path / "far", "--on", f"ray://{cluster.address}")
    near = start(study, tmp_path / "near", "--workers", "1")
    ended(near)
    ended(far)
    assert results(tmp_path / "far") == results(tmp_path / "near")


def test_a_node_that_dies_costs_the_part_in_hand(
    cluster: Cluster, server: CompletionsServer, study: Path, clean: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    server.asked.clear()
    process = start(study, out, "--on", f"ray://{cluster.address}")
    until(lambda: len(parts(out)) >= 5 and bool(cluster.actors(cluster.node)), process)
    kill_tree(cluster.node.pid)
    kept = parts(out)
    err = ended(process)
    assert "is done again elsewhere" in err
    assert {name: parts(out)[name] for name in kept} == kept, "what was finished is not touched"
    assert max(repeats(server, out).values()) <= 4, "at most one part of a cell was asked twice"
    assert results(out) == clean
    cluster.node = cluster.join()


def test_a_process_and_then_the_driver_die(
    cluster: Cluster, server: CompletionsServer, study: Path, clean: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    server.asked.clear()
    process = start(study, out, "--on", f"ray://{cluster.address}")
    until(lambda: len(parts(out)) >= 4 and bool(cluster.actors(cluster.head)), process)
    os.kill(cluster.actors(cluster.head)[0], signal.SIGKILL)
    reached = len(parts(out)) + 2
    until(lambda: len(parts(out)) >= reached, process)
    process.kill()
    process.communicate()
    kept = parts(out)
    ended(start(study, out, "--on", f"ray://{cluster.address}"))
    assert {name: parts(out)[name] for name in kept} == kept
    assert max(repeats(server, out).values()) <= 8, "one part for each of the two that died"
    assert results(out) == clean
