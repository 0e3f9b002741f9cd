"""How many of lm-evaluation-harness's own task files are accepted up to the reading of their data, and why others not.

    python benchmarks/harness_tasks.py [--some 200] [--kept reasons.jsonl] [--minutes 25]

Every file of ``lm_eval/tasks`` that names a task is built by the harness's TaskManager in the confined process that
``--allow-code`` starts, until it would read its data. 410 files take 18 s of one core, so the whole walk some ten
minutes: ``--kept`` holds what was found, to be gone on from, and ``--minutes`` ends it early. Files are taken in an
order in which each part is a fair sample of the whole.
"""

import argparse
import importlib.util
import json
import re
import time
from collections import Counter
from pathlib import Path

from scalecurve.tasks.harness.process import told

BATCH = 200
STRIDE = 37
TASK = re.compile(r"""^["']?task["']?:[ \t]*[^\s\[]""", re.M)
GROUP = re.compile(r"""^["']?group["']?:""", re.M)


def files() -> list[Path]:
    """The files that name a task of their own (no group, no base to include)."""
    (root,) = importlib.util.find_spec("lm_eval").submodule_search_locations
    texts = {path: path.read_text() for path in sorted((Path(root) / "tasks").rglob("*.yaml"))}
    return [path for path, text in texts.items() if TASK.search(text) and not GROUP.search(text)]


def mixed(paths: list[Path]) -> list[Path]:
    """The same files, neighbours far apart."""
    return [path for start in range(STRIDE) for path in paths[start::STRIDE]]


def walk(paths: list[Path], kept: Path | None, minutes: float) -> dict[str, str]:
    """File → why it is not accepted ("": it is), of as many as the time allows."""
    lines = kept.read_text().splitlines() if kept and kept.exists() else []
    found: dict[str, str] = dict(map(json.loads, lines))
    rest, begun = [path for path in paths if str(path) not in found], time.monotonic()
    for at in range(0, len(rest), BATCH):
        if minutes and time.monotonic() - begun > 60 * minutes:
            break
        batch = list(map(str, rest[at : at + BATCH]))
        reasons = dict(zip(batch, told("tasks", {"op": "reach", "specs": batch}), strict=True))
        found |= reasons
        if kept:
            with kept.open("a") as file:
                file.writelines(json.dumps(one) + "\n" for one in reasons.items())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--some", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--minutes", type=float, default=0.0)
    asked = parser.parse_args()
    every = files()
    paths = every[:: max(1, len(every) // asked.some)] if asked.some else mixed(every)
    found = walk(paths, asked.kept, asked.minutes)
    found = {
        path: re.sub(r"/\S*scalecurve-[^/]+/", "", reason) for path, reason in found.items()
    }  # its temporary folder
    reasons = Counter(found.values())
    accepted = reasons.pop("", 0)
    print(
        f"{accepted} of {len(found)} files ({accepted / len(found):.1%}) are accepted up to the reading of their data; "
        f"lm_eval has {len(every)}"
    )
    for reason, count in reasons.most_common():
        example = Path(next(path for path, own in found.items() if own == reason))
        print(f"{count:6} {reason[:160]}   e.g. {example.parent.name}/{example.name}")


if __name__ == "__main__":
    main()
