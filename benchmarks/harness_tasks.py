"""How many of lm-evaluation-harness's own task files are accepted up to the reading of their data, and why others not.

    python benchmarks/harness_tasks.py [--some 200]

Every file of ``lm_eval/tasks`` that names a task is built by the harness's TaskManager in the confined process that
``--allow-code`` starts, until it would read its data.
"""

import argparse
import importlib.util
import re
from collections import Counter
from pathlib import Path

from scalecurve.tasks.harness.process import told

BATCH = 700
TASK = re.compile(r"""^["']?task["']?:[ \t]*[^\s\[]""", re.M)
GROUP = re.compile(r"""^["']?group["']?:""", re.M)


def files() -> list[Path]:
    """The files that name a task of their own (no group, no base to include)."""
    (root,) = importlib.util.find_spec("lm_eval").submodule_search_locations
    texts = {path: path.read_text() for path in sorted((Path(root) / "tasks").rglob("*.yaml"))}
    return [path for path, text in texts.items() if TASK.search(text) and not GROUP.search(text)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--some", type=int, default=0)
    asked = parser.parse_args()
    paths = files()
    if asked.some:
        paths = paths[:: max(1, len(paths) // asked.some)]
    reasons: Counter[str] = Counter()
    example: dict[str, Path] = {}
    for at in range(0, len(paths), BATCH):
        batch = paths[at : at + BATCH]
        for path, reason in zip(batch, told("tasks", {"op": "reach", "specs": list(map(str, batch))}), strict=True):
            reasons[reason] += 1
            example.setdefault(reason, path)
    accepted = reasons.pop("", 0)
    print(
        f"{accepted} of {len(paths)} files ({accepted / len(paths):.1%}) are accepted up to the reading of their data"
    )
    for reason, count in reasons.most_common():
        print(f"{count:6} {reason[:160]}   e.g. {example[reason].parent.name}/{example[reason].name}")


if __name__ == "__main__":
    main()
