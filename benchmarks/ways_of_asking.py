"""What another way of asking changes on the same questions, rung by rung, from a finished run; prints Markdown.

    python benchmarks/ways_of_asking.py RUN BASE ARM [ARM …]        e.g. runs/unlock direct chain_of_thought

Scores are by the study's first metric, or each task's preferred one. Columns: items, score under BASE and ARM, uplift
with a 95% interval that holds at all rungs together, and, where they apply,

    effect     gain or harm; (extraction) where it is not seen on the items whose answer was found under both
    found      share of generated answers that could be extracted, BASE and ARM (where extraction_rate was measured)

For beliefs see ``scalecurve belief``.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import polars as pl

from scalecurve.analysis.compare.unlock import unlock

HEADERS = ["rung", "n", "base", "arm", "uplift", "95% interval", "effect", "found"]
ALWAYS = 7  # the first columns are printed even where empty


def main(run: Path, base: str, arms: list[str]) -> None:
    scores = pl.read_parquet(run / "scores.parquet")
    curves = pl.read_parquet(run / "curves.parquet")
    metrics = tomllib.loads((run / "study.toml").read_text()).get("metrics", ())
    judged = curves.filter(pl.col("metric") == metrics[0]) if metrics else curves.filter("preferred")
    judging = dict(judged.select("task", "metric").unique().iter_rows())
    scales = dict(curves.select("rung", "params_non_embedding").unique().iter_rows())
    (shots,) = scores["shots"].unique()
    for task, metric in sorted(judging.items()):
        for arm in arms:
            print(f"\n**{task}**, {metric}, {arm} against {base}, {shots} shots\n")
            found = unlock(scores, scales, (arm, shots), (base, shots), task=task, metric=metric)
            lines = [HEADERS]
            for row in found.iter_rows(named=True):
                rates = [_mean(scores, task, row["rung"], way, "extraction_rate") for way in (base, arm)]
                cells = [
                    row["rung"],
                    str(row["n"]),
                    f"{row['base']:.3f}",
                    f"{row['arm']:.3f}",
                    f"{row['uplift']:+.3f}",
                    f"{row['lo']:+.3f} … {row['hi']:+.3f}",
                    f"{row['effect']} ({row['flag']})" if row["flag"] else row["effect"],
                    "" if None in rates else " → ".join(f"{rate:.2f}" for rate in rates),
                ]
                lines.append(cells)
            kept = [at for at in range(len(HEADERS)) if at < ALWAYS or any(line[at] for line in lines[1:])]
            lines.insert(1, ["---"] * len(HEADERS))
            print("\n".join(f"| {' | '.join(line[at] for at in kept)} |" for line in lines))


def _mean(scores: pl.DataFrame, task: str, rung: str, strategy: str, metric: str) -> float | None:
    value = scores.filter(task=task, rung=rung, strategy=strategy, metric=metric)["value"].mean()
    return value if isinstance(value, float) else None


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
