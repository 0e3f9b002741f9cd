"""How many branches of each room the tests take: a table from coverage's JSON report, and a bar for some rooms.

python benchmarks/branches.py build/coverage.json analysis metrics engine query --least 95
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="what `coverage json` wrote")
    parser.add_argument("rooms", nargs="*", help="rooms that must reach the bar")
    parser.add_argument("--least", type=float, default=95.0, help="per cent of branches")
    options = parser.parse_args()
    taken: dict[str, int] = defaultdict(int)
    there: dict[str, int] = defaultdict(int)
    for path, file in json.loads(options.report.read_text("utf-8"))["files"].items():
        room = path.split("scalecurve/", 1)[1].split("/")[0]
        taken[room] += file["summary"]["covered_branches"]
        there[room] += file["summary"]["num_branches"]
        for begin, end in file["missing_branches"] if room in options.rooms else ():
            print(f"{path}:{begin} → {'the end' if end < 0 else end}: not taken")
    short = []
    for room in options.rooms or sorted(there):
        share = 100 * taken[room] / there[room] if there.get(room) else 0.0
        print(f"{room}: {taken[room]} of {there[room]} branches, {share:.1f} %")
        short += [room] if options.rooms and share < options.least else []
    if short:
        print(f"below {options.least:g} %: {', '.join(short)}")
    return bool(short)


if __name__ == "__main__":
    raise SystemExit(main())
