"""How forecasts are tuned: errors and intervals on simulated families of models, and on nothing else.

python benchmarks/forecast_methods.py [families] [seed] [WORLD] [driven]

Of each family one size after the fourth and one cut below it are drawn; the size is predicted from what lies below the
cut. The world ``shapes`` is that of ``simulated_families``, the others (``few``, ``clusters``, ``small``, ``wide``,
``crowded``, ``ladder``) are layouts of ``simulated_layouts``; of the last two the largest model is predicted from those
below the widest gap. Several worlds, with commas between, are asked one after the other and counted together.
``driven``: scores follow a companion loss. Standard errors of what intervals hold count families as clusters, as their
tasks share their models. The constants PRIOR, SHARPNESS, DOUBT and MIN_SPAN of ``scalecurve.analysis.forecast`` come
from both worlds; published results are opened after they are fixed.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
from simulated_families import Drivers, companions, family
from simulated_layouts import ladder_family, layout_family

from scalecurve.analysis.forecast.forecast import COMBINED, Panel, Past, predict
from scalecurve.analysis.forecast.panel import enough


def simulate(families: int, seed: int, driven: bool = False, world: str = "shapes") -> pl.DataFrame:
    """One row a forecast and method: error, sampling error of the target, known sizes, decades ahead, what held.

    ``driven``: all scores follow a companion.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(families):
        drivers: dict[tuple[object, ...], Drivers] = {}
        if world == "ladder":
            drawn, drivers = ladder_family(rng)
        else:
            drawn = family(rng) if world == "shapes" else layout_family(rng, world)
        kinds, curves = zip(*drawn, strict=True)
        if driven:
            curves, drivers = companions(rng, list(curves))
        panel, scales = Panel(curves, drivers), curves[0].x
        past = Past(panel)
        cut = int(rng.integers(4, len(scales)))
        target = int(rng.choice([cut, min(cut + 1, len(scales) - 1), rng.integers(cut, len(scales))]))
        if world in ("ladder", "crowded"):  # the largest model, from those below the widest gap
            cut, target = int(np.argmax(np.diff(np.log10(scales)))) + 1, len(scales) - 1
        for kind, curve in zip(kinds, curves, strict=True):
            if scales[target] < scales[cut] or not enough(panel.known(curve, scales[cut])):
                continue
            found = predict(panel, curve, scales[target], past, below=scales[cut])
            y, se = curve.y[target], curve.se[target]
            (lo80, hi80), (lo95, hi95) = found.interval(80), found.interval(95)
            own = {"family": number, "kind": kind, "se": se, "known": cut, "pit": found.below(y), "width": hi80 - lo80}
            own |= {"ahead": np.log10(scales[target] / scales[cut - 1]), "in80": lo80 <= y <= hi80}
            middle = found.by_method[COMBINED]
            own |= {"end": min(middle, 1 - middle) * curve.n[0]}
            own |= {"in95": lo95 <= y <= hi95, "trend": (curve.y[cut - 1] - curve.y[0]) / max(se, 0.01)}
            for name, value in found.by_method.items():
                rows.append(own | {"method": name, "error": value - y, "weight": found.weights.get(name, 0.0)})
    return pl.DataFrame(rows)


def main() -> None:
    asked = sys.argv[1:] + ["150", "23", "shapes", ""][len(sys.argv) - 1 :]
    worlds = [
        simulate(int(asked[0]), int(asked[1]), asked[3] == "driven", world).with_columns(world=pl.lit(world))
        for world in asked[2].split(",")
    ]
    table = pl.concat(worlds).with_columns(family=pl.struct("world", "family").rank("dense"))
    bins = {"near": (0, 0.35), "middle": (0.35, 0.75), "far": (0.75, 1.4), "very far": (1.4, 9)}
    by = {name: pl.col("ahead").is_between(*ends) for name, ends in bins.items()}
    rise = {"rising": pl.col("trend") > 4, "flat": pl.col("trend").abs() <= 4, "falling": pl.col("trend") < -4}
    error, excess = 100 * pl.col("error").abs(), pl.col("error") ** 2 - pl.col("se") ** 2
    summary = table.group_by("method").agg(
        error.mean().alias("mae"),
        *(error.filter(b).mean().alias(f"mae {n}") for n, b in by.items()),
        *(excess.filter(b).mean().alias(n) for n, b in by.items()),
        *(error.filter(b).mean().alias(n) for n, b in rise.items()),
        pl.col("weight").mean(),
        pl.len(),
    )
    print(f"| method | MAE | {' | '.join(by)} | excess MSE: {' | '.join(by)} | {' | '.join(rise)} | weight | n |")
    print("|---" * (4 + 2 * len(by) + len(rise)) + "|")
    for row in summary.sort("mae").iter_rows():
        print("| " + " | ".join(_cell(cell) for cell in row) + " |")
    combined = table.filter(pl.col("method") == COMBINED)
    bands = pl.coalesce(pl.when(b).then(pl.lit(n)) for n, b in by.items())
    print("\n| combined | in 80% | in 95% | width of 80% | n | families | MAE | bias |\n" + "|---" * 8 + "|")
    near_end = pl.when(pl.col("end") < 10).then(pl.lit("under 10 items from an end")).otherwise(pl.lit("between"))
    eight = pl.when(pl.col("known") >= 8).then(pl.lit("8 and more")).otherwise(pl.col("known").cast(pl.String))
    for key in (pl.lit("all"), pl.col("world"), eight, bands, near_end, pl.col("kind")):
        for (name,), group in sorted(combined.group_by(key.alias("group"))):
            cells = [held(group, "in80"), held(group, "in95"), group["width"].mean(), group.height]
            cells += [group["family"].n_unique(), 100 * group["error"].abs().mean(), 100 * group["error"].mean()]
            print("| " + " | ".join(_cell(cell) for cell in (name, *cells)) + " |")
    print("\nPIT, tenths:", np.histogram(combined["pit"].to_numpy(), bins=10, range=(0, 1))[0])


def held(rows: pl.DataFrame, column: str) -> str:
    """The share that intervals hold, in per cent, and its standard error over families (each a cluster)."""
    share = rows[column].mean()
    apart = rows.group_by("family").agg((pl.col(column) - share).sum().alias("sum"))["sum"].to_numpy()
    error = np.sqrt((apart**2).sum() * len(apart) / max(len(apart) - 1, 1)) / rows.height
    return f"{100 * share:.1f} ± {100 * error:.1f}"


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) < 0.3 else f"{value:.2f}"


if __name__ == "__main__":
    main()
