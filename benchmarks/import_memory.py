"""Peak memory and time of importing one large samples file of lm-evaluation-harness, in a process of its own.

    python import_memory.py [GIGABYTES]

The file is written to the temporary folder and deleted afterwards: five-shot questions of four options, 8 kB a line.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = "the model answers a question about rivers and towns in a country that nobody has seen".split()


def write(folder: Path, size: float) -> int:
    """Results and samples of about ``size`` bytes; returns the number of documents."""
    rng = random.Random(0)
    shots = " ".join(rng.choices(WORDS, k=320))
    right = count = 0
    with open(folder / "samples_big_1.jsonl", "w") as file:
        while file.tell() < size:
            logs = [-rng.random() * 20 for _ in range(4)]
            gold = rng.randrange(4)
            hit = int(logs.index(max(logs)) == gold)
            ask = f"{shots}\nQ: {' '.join(rng.choices(WORDS, k=20))} {count}?\nA:"
            line = {"doc_id": count, "doc": {"question": ask[-120:], "choices": list("abcd")}, "target": str(gold)}
            line["arguments"] = {f"gen_args_{i}": {"arg_0": ask, "arg_1": f" {'abcd'[i]}"} for i in range(4)}
            line["resps"] = [[[str(log), "False"]] for log in logs]
            line["filtered_resps"] = [[str(log), "False"] for log in logs]
            line |= {"filter": "none", "metrics": ["acc"], "doc_hash": f"{count:064x}", "acc": hit}
            file.write(json.dumps(line) + "\n")
            right, count = right + hit, count + 1
    results = {
        "results": {"big": {"acc,none": right / count, "acc_stderr,none": 0.01}},
        "versions": {"big": 1},
        "n-shot": {"big": 5},
        "n-samples": {"big": {"effective": count}},
        "config": {"model_args": "pretrained=EleutherAI/pythia-70m"},
    }
    (folder / "results_1.json").write_text(json.dumps(results))
    return count


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        import scalecurve

        began = time.monotonic()
        {
            "import": lambda: scalecurve.import_run([sys.argv[3]], sys.argv[4]),
            "rescore": lambda: scalecurve.rescore(sys.argv[4]),
        }[sys.argv[2]]()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{sys.argv[2]}: {time.monotonic() - began:.0f} s, peak {peak:.0f} MB", flush=True)
        return
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        count = write(folder / "in", size * 1e9)
        print(f"{size:g} GB, {count:,} documents", flush=True)
        for what in ("import", "rescore"):
            subprocess.run(
                [sys.executable, __file__, "--worker", what, str(folder / "in"), str(folder / "run")], check=True
            )


main()
