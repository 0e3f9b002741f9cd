"""The numbers of the pages about forecasts, and about how often intervals hold the truth."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import polars as pl
from shares import difference, interval, percent, share

RARE = 0.05
FEW = 3  # origins
Numbers = dict[str, Any]


def forecasts(rows: pl.DataFrame) -> Numbers:
    own = rows.with_columns(  # points
        error=(pl.col("predicted") - pl.col("actual")).abs() * 100,
        last=(pl.col("last value") - pl.col("actual")).abs() * 100,
        straight=(pl.col("line") - pl.col("actual")).abs() * 100,
        floor=100 * sqrt(2 / pi) * pl.col("sampling"),
    ).with_columns(excess=pl.col("error") - pl.col("floor"))

    def line(part: pl.DataFrame) -> tuple[Any, ...]:
        excess = part["excess"].to_numpy()
        low, high = (float(end[0]) for end in interval(part, excess[:, None]))
        means = [float(part[name].mean() or 0.0) for name in ("error", "floor", "last", "straight")]
        return (part.height, part["origin"].n_unique(), *means, float(excess.mean()), low, high,
                percent(float(part["inside80"].mean() or 0)), percent(float(part["inside95"].mean() or 0)))  # fmt: skip

    def table(by: str, least: int = 10) -> list[tuple[Any, ...]]:
        found = []
        for (asked, group), part in own.group_by("asked", by, maintain_order=True):
            if part.height >= least:
                found.append((str(asked), str(group), *line(part)))
        return sorted(found, key=lambda row: (row[0], -row[2]))

    def more(part: pl.DataFrame, rule: str) -> str:
        by = (part[rule] - part["error"]).to_numpy()
        low, high = (float(end[0]) for end in interval(part, by[:, None]))
        return f"{float(by.mean()):.2f} [{low:.2f}, {high:.2f}]"

    every = {str(asked): line(part) for (asked,), part in own.group_by("asked", maintain_order=True)}
    less = _beside_flat(own)
    gain = own.filter(pl.col("asked") == "next size")
    return {
        "targets": own.height, "fc_all": every, "table_fc_shape": table("shape"), "table_fc_set": table("set"),
        "table_fc_distance": table("distance"),
        "fc_in80": share(gain, pl.col("inside80")), "fc_in95": share(gain, pl.col("inside95")),
        "fc_last_more": more(gain, "last"), "fc_line_more": more(gain, "straight"),
        "table_fc_less": less, "fc_less": len(less), "fc_clear": sum(clear == "*" for *_, clear in less),
        "fc_next": every.get("next size"), "fc_better": share(gain, pl.col("error") < pl.col("last")),
    }  # fmt: skip


def _beside_flat(own: pl.DataFrame, least: int = 10) -> list[tuple[str, str, str, str]]:
    """By how much the excess of each kind of curve is above that of flat ones: (asked, kind, points, clear or not)."""
    found = []
    for (asked,), part in own.group_by("asked", maintain_order=True):
        for kind in ("smooth", "late", "inverse", "inconclusive", "too-few"):
            first, flat = part.filter(pl.col("shape") == kind), part.filter(pl.col("shape") == "flat")
            if min(first.height, flat.height) < least:
                continue
            by, low, high = difference(first, flat, "excess")
            found.append((str(asked), kind, f"{by:+.2f} [{low:+.2f}, {high:+.2f}]", "" if low <= 0 <= high else "*"))
    return found


def coverage(rows: pl.DataFrame) -> Numbers:
    """How often the intervals held the truth: by part of the curves, and over all."""
    shares = rows.filter(pl.col("share").is_not_null())
    table = []
    for (part,), own in rows.group_by("part", maintain_order=True):
        if own["share"].null_count():
            ends = [percent(float(own.filter(pl.col("spread") == spread)["held"].min())) for spread in (1, 2)]
        else:
            rare = pl.col("share") < RARE
            ends = [_range(own.filter(rare)), _range(own.filter(~rare))]
        table.append((str(part), own["benchmarks"][0], own["origins"][0], *ends))
    few = rows.filter(pl.col("share").is_null(), pl.col("origins") <= FEW)
    flat = shares.filter(pl.col("part") == "judged", pl.col("share") == pl.col("share").max())["held"]
    return {
        "cover_low": percent(float(shares["held"].min())), "cover_high": percent(float(shares["held"].max())),
        "cover_from": percent(float(shares["share"].min())), "cover_to": percent(float(shares["share"].max())),
        "cover_rare_to": percent(float(shares.filter(pl.col("share") < RARE)["share"].max())),
        "cover_common": percent(float(shares.filter(pl.col("share") > RARE)["share"].min())),
        "cover_sets": int(rows["sets"].max()), "cover_flat": " / ".join(percent(float(held)) for held in flat),
        "cover_near": f"{rows['spread'].min():.0f}", "cover_far": f"{rows['spread'].max():.0f}", "table_cover": table,
        "cover_means": _range(few.filter(pl.col("spread") == 1)),
        "cover_skewed": _range(few.filter(pl.col("spread") == 2)),
        "cover_few": _range(shares.filter(pl.col("origins") <= FEW, pl.col("share") > RARE)) if shares.height else "–",
    }  # fmt: skip


def _range(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return "–"
    low, high = percent(float(rows["held"].min())), percent(float(rows["held"].max()))
    return low if low == high else f"{low} – {high}"
