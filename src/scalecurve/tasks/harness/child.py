"""The process in which lm-evaluation-harness works: ``python -m scalecurve.tasks.harness.child``.

For every JSON line of orders it forks, shuts the fork in, and lets the harness's own TaskManager build the task. What
comes of it goes to the parent as one JSON line on the standard output it was started with: the requests of every
document (``build``), or the scores that the harness's own evaluation gives to recorded replies (``grade``), or how far
each of many files gets without data (``reach``). Whatever a task prints goes to standard error.
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from scalecurve.tasks.programmatic.child import shut_in

LARGEST_CACHE = 1 << 33  # bytes of a file that datasets may write
BOOTSTRAPS = 1000  # for errors of scores that are no means; of means they are exact
FEWSHOT_SEED = 1234
LOCAL = ("json", "csv", "parquet", "text", "arrow")


class Refusal(Exception):
    """What cannot be asked or graded here, in one line."""


class DataReached(Exception):
    """The harness has understood a file and would read its data now."""


def main() -> None:
    """Take order after order. Each is carried out by a fork, so that it leaves nothing behind."""
    sent, orders = os.fdopen(os.dup(1), "wb", buffering=0), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    lacking = _libraries()
    while line := orders.readline():
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _carry_out(line, writing, lacking)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            reply = told.read()
        os.waitpid(child, 0)
        sent.write((reply or b'{"error": "its process ended without a word; it may need too much memory"}') + b"\n")


def _libraries() -> BaseException | None:
    """Load what every order needs; what is wrong where that fails."""
    logging.disable(logging.CRITICAL)
    try:
        import datasets  # noqa: F401 - each fork has it already
        import lm_eval.evaluator
        import lm_eval.tasks  # noqa: F401 - the same

        _load_metrics()
    except BaseException as error:  # whatever libraries do when they are loaded: every order is told
        return error
    return None


def _load_metrics() -> None:
    """Load the library of metrics once for all forks, without transformers and torch, which it would load for a part of
    it that the harness does not use: seconds of every order."""
    hidden = "transformers" not in sys.modules
    if hidden:
        # None makes an import fail at once; that use is Python's own, though typeshed admits modules only.
        sys.modules["transformers"] = None  # type: ignore[assignment]
    try:
        import evaluate  # noqa: F401 - each fork has it already
    except ImportError:  # told by the tasks that need it
        pass
    finally:
        if hidden:
            del sys.modules["transformers"]


def _carry_out(line: bytes, writing: int, lacking: BaseException | None) -> NoReturn:
    """One order, shut in; every failure becomes one line for the parent."""
    try:
        if lacking is not None:
            raise lacking
        orders = json.loads(line)
        shut_in(orders["memory"], orders["cpu_seconds"], LARGEST_CACHE)
        os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = orders["folder"]
        os.chdir(orders["folder"])
        work = {"build": _build, "grade": _grade, "reach": _reach}[orders["op"]]
        reply = json.dumps({"value": work(orders)})
    except BaseException as error:  # a task's own code may end in any way, sys.exit among them
        reply = json.dumps({"error": said(error), "missing": getattr(error, "name", "") if _is_import(error) else ""})
    with os.fdopen(writing, "wb") as told:
        told.write(reply.encode())
    os._exit(0)  # libraries' own threads and processes do not hold it


def said(error: BaseException) -> str:
    """An error in one line: a refusal's own words, any other's with its kind."""
    text = " ".join(str(error).split())[:400]
    return text if isinstance(error, Refusal) else f"{type(error).__name__}: {text}"


def _is_import(error: BaseException) -> bool:
    return isinstance(error, ImportError)


# ── Building ─────────────────────────────────────────────────────────────────────────────────────────────────
def _loaded(spec: str, folder: str) -> dict[str, object]:
    """Name → task object of a name that the harness knows, or of a file. Data comes from this machine alone."""
    import datasets
    import numpy as np

    _local_files(datasets, folder, Path(spec).parent)
    random.seed(0)  # as the harness does before it builds: process_docs may shuffle
    np.random.seed(FEWSHOT_SEED)
    from lm_eval.tasks import TaskManager

    path = Path(spec)
    manager = TaskManager(include_defaults=not path.is_file())
    if not path.is_file() and spec not in manager.task_index:
        raise Refusal("is no file and no task of lm-evaluation-harness; see lm_eval ls tasks")
    tasks: dict[str, object] = manager.load(spec)["tasks"]
    return tasks


def _local_files(datasets: Any, folder: str, home: Path) -> None:
    """Local files are looked for beside the task's own file, and what is made of them is kept in the process's folder,
    not among the user's data sets."""
    original = datasets.load_dataset  # (a fork's own)

    def load(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("path", args[0] if args else None) in LOCAL:
            kwargs["cache_dir"] = folder
            kwargs["data_files"] = beside(kwargs.get("data_files"), home)
        return original(*args, **kwargs)

    datasets.load_dataset = load


def beside(files: object, home: Path) -> Any:
    """Paths of data files, the relative ones made absolute by the folder of the task's file."""
    if isinstance(files, dict):
        return {split: beside(one, home) for split, one in files.items()}
    if isinstance(files, list):
        return [beside(one, home) for one in files]
    return str(home / files) if isinstance(files, str) and "://" not in files else files


def _prepared(task: Any, shots: int | None) -> Any:
    """The task with its number of shots and the harness's seed, as ``simple_evaluate`` prepares one."""
    if getattr(task, "MULTIMODAL", False):
        raise Refusal("asks with images or sound, which no backend here takes")
    own = task.get_config("num_fewshot")
    if shots is not None and own != 0:
        task.set_config(key="num_fewshot", value=shots)
    elif own is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=FEWSHOT_SEED)
    return task


def _build(orders: Mapping[str, Any]) -> list[dict[str, object]]:
    found = _loaded(orders["spec"], orders["folder"])
    return [_record(name, _prepared(task, orders["shots"])) for name, task in found.items()]


def _record(name: str, task: Any) -> dict[str, Any]:
    """A task as plain values: its requests by document, what is right, its metrics by their names in results."""
    task.build_all_requests()
    docs: dict[int, dict[str, Any]] = {}
    for instance in task.instances:
        if instance.request_type not in ("loglikelihood", "generate_until"):
            raise Refusal(
                f"asks for {instance.request_type}, which is not supported; loglikelihood, generate_until are"
            )
        own = docs.setdefault(instance.doc_id, {"doc": instance.doc, "requests": []})
        own["requests"].append((instance.idx, request_of(instance)))
    for own in docs.values():
        own["requests"] = [request for _, request in sorted(own["requests"], key=lambda pair: pair[0])]
        own["gold"] = _gold(task, own["doc"])
        own["hash"] = doc_hash(own.pop("doc"))
    better = {str(metric): bool(up) for metric, up in (_quiet(task.higher_is_better) or {}).items()}
    filters = [str(one.name) for one in getattr(task, "_filters", [])] or ["none"]
    return {
        "name": name,
        "version": str(task.VERSION),
        "output_type": str(task.OUTPUT_TYPE),
        "shots": int(task.get_config("num_fewshot") or 0),
        "metrics": [metric_name(metric, one) for one in filters for metric in better],
        "docs": [{"id": at, **docs[at]} for at in sorted(docs)],
    }


def metric_name(metric: str, under: str) -> str:
    """A metric's name in tables: with its filter where it has one (as the importer of results names it)."""
    return metric if under == "none" else f"{metric},{under}"


def request_of(instance: Any) -> list[object]:
    """A request as plain values: ``["loglikelihood", context, continuation]``, or the settings in the third place."""
    context, more = instance.args[0], instance.args[1]
    if not isinstance(context, str):
        raise Refusal("asks with messages instead of a text, which is not supported")
    if instance.request_type == "loglikelihood":
        return ["loglikelihood", context, str(more), 1]
    return ["generate_until", context, dict(more or {}), int(instance.repeats or 1)]


def _gold(task: Any, doc: object) -> Any:
    """The right answer as the task says it: a number, a text, a list of them, or None."""
    gold = _quiet(lambda: task.doc_to_target(doc))
    multiple = getattr(task, "multiple_input", 0)
    gold = _quiet(lambda: task.doc_to_text(doc)) if multiple else gold
    choices = _quiet(lambda: task.doc_to_choice(doc)) if task.OUTPUT_TYPE == "multiple_choice" else None
    if isinstance(gold, str) and isinstance(choices, list) and gold in choices:
        return choices.index(gold)
    plain = gold if isinstance(gold, list) else [gold]
    return gold if all(isinstance(one, str | int) and not isinstance(one, bool) for one in plain) else None


def _quiet(call: Any) -> Any:
    try:
        return call()
    except Exception:  # a task's own code, which may not be made for this document
        return None


def doc_hash(doc: object) -> str:
    """The harness's hash of a document, by which its samples name it."""
    from lm_eval.utils import handle_non_serializable, hash_string

    text = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return str(hash_string(text))


# ── Grading ──────────────────────────────────────────────────────────────────────────────────────────────────
def _grade(orders: Mapping[str, Any]) -> list[dict[str, Any]]:
    """By cell: the scores that the harness gives to its ``replies`` (document → one a request)."""
    from lm_eval.evaluator import evaluate
    from lm_eval.evaluator_utils import _compute_task_aggregations

    graded = []
    for cell in orders["cells"]:
        task = _prepared(_loaded(orders["spec"], orders["folder"])[orders["name"]], orders["shots"])
        replies = {int(doc): reply for doc, reply in cell["replies"].items()}
        limit = max(replies) + 1
        model = replaying(replies)
        done = evaluate(
            lm=model,
            task_dict={"tasks": {orders["name"]: task}, "groups": {}, "group_map": {}},
            limit=limit,
            bootstrap_iters=0,
            confirm_run_unsafe_code=True,
        )
        samples = [one for one in done["samples"][orders["name"]] if one["doc_id"] in replies]
        asked = cell["hashes"]  # (of what was asked: process_docs may shuffle anew for the grading, as it does there)
        wrong = next((one["doc_id"] for one in samples if one["doc_hash"] != asked[str(one["doc_id"])]), None)
        if wrong is not None:
            raise Refusal(f"document {wrong} is another than was asked; the data or the task has changed since")
        raw: dict[tuple[str, str], list[Any]] = {}
        items: dict[str, list[tuple[int, float]]] = {}
        for one in samples:
            for metric in one["metrics"]:
                raw.setdefault((metric, one["filter"]), []).append(one[metric])
                if isinstance(one[metric], int | float) and not isinstance(one[metric], bool | str):
                    named = metric_name(metric, one["filter"])
                    items.setdefault(named, []).append((one["doc_id"], float(one[metric])))
                elif isinstance(one[metric], bool):
                    items.setdefault(metric_name(metric, one["filter"]), []).append((one["doc_id"], float(one[metric])))
        totals, _ = _compute_task_aggregations(task, raw, BOOTSTRAPS)
        better = task.higher_is_better()
        graded.append(
            {
                metric_name(metric, under): {
                    "y": _finite(totals[f"{metric},{under}"]),
                    "se": _finite(totals.get(f"{metric}_stderr,{under}")),
                    "n": len(values),
                    "up": bool(better.get(metric, True)),
                    "items": items.get(metric_name(metric, under), []),
                }
                for (metric, under), values in raw.items()
            }
        )
    return graded


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def replaying(replies: Mapping[int, Sequence[Any]]) -> Any:
    """A model of the harness that says what was recorded; documents without a reply get an empty one."""
    from lm_eval.api.model import LM

    class Replaying(LM):  # type: ignore[misc, unused-ignore]  # untyped, or absent
        def __init__(self) -> None:
            super().__init__()
            self.told: dict[tuple[int, int], Iterator[object]] = {}

        def _next(self, instance: Any, nothing: Any) -> Any:
            """The next of an instance's replies: a repeated question has several."""
            key = instance.doc_id, instance.idx if instance.request_type else 0
            if instance.doc_id not in replies:
                return nothing
            if key not in self.told:
                at = self._place(instance)
                self.told[key] = iter(replies[instance.doc_id][at])
            return next(self.told[key], nothing)

        def _place(self, instance: Any) -> int:
            return int(instance.idx)

        def loglikelihood(self, requests: Any) -> list[tuple[float, bool]]:
            return [tuple(self._next(one, (-1e9, False))) for one in requests]

        def generate_until(self, requests: Any) -> list[str]:
            return [str(self._next(one, "")) for one in requests]

        def loglikelihood_rolling(self, requests: object) -> list[float]:
            raise Refusal("asks for loglikelihood_rolling, which is not supported")

    return Replaying()


# ── How far it gets ──────────────────────────────────────────────────────────────────────────────────────────
def _reach(orders: Mapping[str, Any]) -> list[str]:
    """For each of the files ``specs``: "" where the harness gets to its data, else the reason why not."""
    from lm_eval.api.task import ConfigurableTask, Task
    from lm_eval.tasks import TaskManager

    def reached(self: Any, *_: Any, **__: Any) -> None:
        if getattr(self, "MULTIMODAL", False):
            raise Refusal("asks with images or sound, which no backend here takes")
        if self.OUTPUT_TYPE == "loglikelihood_rolling":
            raise Refusal("asks for loglikelihood_rolling, which is not supported")
        raise DataReached

    ConfigurableTask.download = reached
    Task.download = reached
    manager = TaskManager(include_defaults=False)
    return [_reason(manager, spec) for spec in orders["specs"]]


def _reason(manager: Any, spec: str) -> str:
    try:
        manager.load(spec)
    except DataReached:
        return ""
    except BaseException as error:  # the same: why it does not load is the answer
        return said(error) or "?"
    return ""


if __name__ == "__main__":
    main()
