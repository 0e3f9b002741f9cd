"""``--model scalecurve`` against ``--model hf`` inside lm-evaluation-harness: the same scores? and how long each takes.

    python benchmarks/lm_eval_model.py [--model smollm2-135m] [--examples 40] [--shots 5] [--task letters …]
        [--harness-batch 8] [--venv /tmp/lmeval-venv]

Five tasks of the harness's own kinds, written from the laboratory's questions as YAML and JSON Lines: options of one
token, options of several, generation, a target after a text (as in LAMBADA), and whole texts (rolling perplexity).
Both sides run the harness's evaluation in its own environment, one after the other, each measurement in a process of
its own; loading the model is not timed. Prints every score of both, the largest difference of a log-probability, and
the ratio of times.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import engine_common as common

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "src" / "scalecurve" / "lab" / "tasks"
HEAD = "dataset_path: json\ntest_split: test\ntraining_split: train\n"
TASKS = {
    "letters": """output_type: multiple_choice
description: "Questions about people, with four answers each.\\n\\n"
doc_to_text: "Q: {{question}}\\n{% for o in options %}{{ 'ABCD'[loop.index0] }}. {{ o }}\\n{% endfor %}A:"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: brier_score}]
""",
    "words": """output_type: multiple_choice
doc_to_text: "Q: {{question}}\\nA:"
doc_to_choice: options
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}, {metric: acc_norm}, {metric: acc_bytes}, {metric: acc_mutual_info}]
""",
    "sums": """output_type: generate_until
doc_to_text: "Q: {{question}}\\nA:"
doc_to_target: "{{target}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 24}
metric_list: [{metric: exact_match, ignore_punctuation: true, regexes_to_ignore: [" "]}]
""",
    "last_word": """output_type: loglikelihood
doc_to_text: "Q: {{question}}\\nA:"
doc_to_target: " {{target}}"
metric_list: [{metric: perplexity}, {metric: acc}]
""",
    "pages": """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{page}}"
metric_list: [{metric: word_perplexity}, {metric: byte_perplexity}, {metric: bits_per_byte}]
""",
}


def write_task(name: str, folder: Path, shots: int, examples: int) -> Path:
    """The task's YAML and data, drawn from the laboratory's tasks."""
    source = "addition/2_digits" if name == "sums" else "facts_choice"
    found = json.loads((LAB / source / "task.json").read_text())["examples"]
    docs = [
        {"question": e["input"], "target": e["target"], "options": list(e.get("target_scores", {}))}
        | ({"answer": list(e["target_scores"]).index(e["target"])} if "target_scores" in e else {})
        for e in found
    ]
    random.Random(3).shuffle(docs)
    test = docs[:examples]
    train = docs[examples : examples + 40]
    if name == "pages":
        lines = [f"Q: {doc['question']}\nA: {doc['target']}" for doc in docs]
        test = [{"page": "\n\n".join(lines[at : at + 4 + 6 * at])} for at in range(max(2, examples // 5))]
        train = test[:1]
    for split, rows in (("test", test), ("train", train)):
        (folder / f"{name}_{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = (
        f"dataset_kwargs: {{data_files: {{test: {folder}/{name}_test.jsonl, train: {folder}/{name}_train.jsonl}}}}\n"
    )
    path = folder / f"{name}.yaml"
    path.write_text(f"task: {name}\n{HEAD}{files}num_fewshot: {0 if name == 'pages' else shots}\n{TASKS[name]}")
    return path


def evaluate(model: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The harness's own evaluation, timed; scores, and every reply as numbers or text."""
    import time

    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(Path(job["task"]).parent))
    began = time.perf_counter()
    found = simple_evaluate(
        model=model, tasks=[Path(job["task"]).stem], bootstrap_iters=0, log_samples=True, task_manager=manager
    )
    seconds = time.perf_counter() - began
    (name,) = found["results"]
    scores = {k: v for k, v in found["results"][name].items() if "," in k and "_stderr" not in k}
    replies = [reply for sample in found["samples"][name] for request in sample["resps"] for reply in request]
    return {"seconds": seconds, "scores": scores, "replies": replies}


def hf(job: dict[str, Any]) -> dict[str, Any]:
    from lm_eval.models.huggingface import HFLM

    return evaluate(HFLM(pretrained=job["folder"], dtype="float32", device="cpu", batch_size=job["batch"]), job)


def ours(job: dict[str, Any]) -> dict[str, Any]:
    import sys

    sys.path.insert(0, str(ROOT / "src"))
    from scalecurve.io.lm_eval_model import ScalecurveLM

    return evaluate(ScalecurveLM(pretrained=job["folder"], dtype="float32", device="cpu"), job)


def gap(a: list[Any], b: list[Any]) -> tuple[float, int]:
    """(largest difference of a log-probability, replies that differ otherwise: texts, or whether greedy)."""
    largest, other = 0.0, 0
    for x, y in zip(a, b, strict=True):
        x, y = (one if isinstance(one, list) else [one] for one in (x, y))
        for left, right in zip(x, y, strict=True):
            if isinstance(left, float) and not isinstance(left, bool):
                largest = max(largest, abs(left - right))
            else:
                other += left != right
    return largest, other


def main() -> None:
    if common.serve({"ours": ours, "hf": hf}):
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--task", action="append", choices=list(TASKS))
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--harness-batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tries", type=int, default=3, help="times a disturbed pair is measured")
    parser.add_argument("--venv", type=Path, default=Path("/tmp/lmeval-venv"))
    given = parser.parse_args()
    python, folder = common.harness_python(given.venv), common.weights(given.model)
    print(f"{given.model}, float32, {given.shots} shots, {given.examples} examples, {given.threads} threads")
    print("| task | metric | hf | scalecurve | log-prob. apart (nats) | other replies ≠ | hf s | ours s | faster |")
    print("|---" * 9 + "|")
    with tempfile.TemporaryDirectory() as made:
        for name in given.task or TASKS:
            task = write_task(name, Path(made), given.shots, given.examples)
            job = {"folder": str(folder), "task": str(task), "batch": given.harness_batch}
            a, b = common.pair((python, "ours"), (python, "hf"), Path(__file__), job, given.threads, given.tries)
            largest, other = gap(a["replies"], b["replies"])
            for metric, value in b["scores"].items():
                print(
                    f"| {name} | {metric} | {value:.6f} | {a['scores'][metric]:.6f} | {largest:.1e} | {other} | "
                    f"{b['seconds']:.1f} | {a['seconds']:.1f} | **{b['seconds'] / a['seconds']:.1f}×**"
                    f"{' (disturbed)' if a['disturbed'] else ''} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
