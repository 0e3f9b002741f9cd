"""From the tables to the pages: the text of ``page.en.md`` and ``page.zh.md`` with every number put in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from numbers_of import KEY, numbers, pairs, read
from shares import Share, percent
from words import AXES, CLIMBS, DOUBTS, HEADS, NOTES, SHAPES

HERE = Path(__file__).resolve().parent
EXAMPLES = 5
LANGUAGES = {"en": "how_often.md", "zh": "how_often.zh.md"}
PLACE = re.compile(r"\{\{(\w+)(?:\.(\w+))?\}\}")


def chosen(judged: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """All examples of each kind, the strongest first, by a rule that leaves nothing to taste."""
    usual = pl.col("shape").is_in(["flat", "smooth", "saturated"])
    odd = (pl.col("shape") == "one-model") | (
        pl.col("flags").str.contains("outlier-driven") & ~pl.col("shape").is_in(["too-few", "flat"])
    )
    high = (pl.col("breakthroughness") > 10) & pl.col("breakthroughness").is_finite() & (pl.col("confidence") >= 0.9)
    name = ["family", "task", "shots"]
    return {
        "emergent": judged.filter(pl.col("shape") == "emergent").sort(
            "confidence", *name, descending=[True, *[False] * 3]
        ),
        "index": judged.filter(usual & high).sort("breakthroughness", *name, descending=[True, *[False] * 3]),
        "inverse": judged.filter(pl.col("shape") == "inverse").sort(
            "confidence", *name, descending=[True, *[False] * 3]
        ),
        "one-model": judged.filter(odd)
        .with_columns(first=pl.col("shape") == "one-model")
        .sort("first", "confidence", *name, descending=[True, True, *[False] * 3])
        .drop("first"),
    }


def shown(judged: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Of each kind the examples that are shown."""
    return {kind: rows.head(EXAMPLES) for kind, rows in chosen(judged).items()}


def write(out: Path) -> None:
    """Both pages from the tables in ``out``/how_often."""
    for language, text in render(out / "how_often").items():
        (out / LANGUAGES[language]).write_text(text)


def render(folder: Path) -> dict[str, str]:
    """The text of the page in each language."""
    tables = read(folder)
    found = numbers(tables)
    pages = {}
    for language in LANGUAGES:
        blocks = blocks_of(found, tables, language)
        template = (HERE / f"page.{language}.md").read_text()
        pages[language] = PLACE.sub(lambda m, b=blocks: said(found, b, m[1], m[2]), template)  # type: ignore[misc]  # a lambda's default
    return pages


def said(found: Mapping[str, Any], blocks: Mapping[str, str], name: str, part: str | None) -> str:
    """What stands for ``{{name.part}}``: a number, a share with its interval, or a table."""
    if name in blocks:
        return blocks[name]
    value = found[name]
    if isinstance(value, Share):
        parts = {"hits": f"{value.hits:,}", "count": f"{value.count:,}", "share": percent(value.value),
                 "span": f"{percent(value.low)} – {percent(value.high)}", "high": percent(value.high)}  # fmt: skip
        return parts[part] if part else str(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def blocks_of(found: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], lang: str) -> dict[str, str]:
    """The tables of the page in one language."""
    judged = tables["verdicts"].with_columns(pl.col("flags", "sublabel", "odd").fill_null(""))
    head = HEADS[lang]
    names = SHAPES[lang]
    rates = {kind: rest for kind, *rest in found["table_planted"]}
    blocks = {
        "table_shapes": _shapes(judged, found, lang),
        "table_planted": grid(head["planted"], [
            (words, *rates[kind]) for kind, words in head["courses"].items() if kind in rates
        ]),
        "table_sets": _sets(judged, lang),
        "table_sisters": grid(head["sisters"], [(names[kind], *rest) for kind, *rest in found["table_sisters"]]),
        "table_cover": grid(head["cover"], [(head["parts"][part], *rest) for part, *rest in found["table_cover"]]),
        "table_fc_less": grid(head["less"], [
            (head["asked"][asked], names[kind], points + clear) for asked, kind, points, clear in found["table_fc_less"]
        ]),
        "table_axes": grid(head["axes"], [(AXES[lang].get(a, a), *rest) for a, *rest in found["table_axes"]]),
        "table_index": grid(head["index"], [(names[k], n) for k, n in found["b_shapes"]]),
        "table_training": grid(head["training"], [
            (names[k], found[f"training_{k}"].hits, found[f"training_{k}"]) for k in names if f"training_{k}" in found
        ]),
    }  # fmt: skip
    for by in ("shape", "set", "distance"):
        rows = [
            (head["asked"][asked], names.get(group, head["set_names"].get(group, group)), *_forecast(rest))
            for asked, group, *rest in found[f"table_fc_{by}"]
        ]
        blocks[f"table_fc_{by}"] = grid([head["asked_head"], head[f"by_{by}"], *head["forecast"]], rows)
    best = found["fc_next"]
    if best:
        blocks |= {"fc_mae": f"{best[2]:.2f}", "fc_floor": f"{best[3]:.2f}",
                   "fc_excess": f"{best[6]:.2f} [{best[7]:.2f}, {best[8]:.2f}]"}  # fmt: skip
    for kind, rows in chosen(judged).items():
        blocks[f"examples_{kind.replace('-', '_')}"] = _examples(rows.head(EXAMPLES), tables, judged, lang)
        blocks[f"{kind.replace('-', '_')}_shown"] = str(min(rows.height, EXAMPLES))
        blocks[f"of_{kind.replace('-', '_')}"] = str(rows.height)
    return blocks


def _forecast(rest: list[Any]) -> list[Any]:
    count, origins, error, floor, last, line, excess, low, high, in80, in95 = rest
    return [
        count,
        origins,
        f"{error:.2f}",
        f"{floor:.2f}",
        f"{excess:.2f} [{low:.2f}, {high:.2f}]",
        f"{last:.2f}",
        f"{line:.2f}",
        in80,
        in95,
    ]


def _shapes(judged: pl.DataFrame, found: Mapping[str, Any], lang: str) -> str:
    rows = []
    for name in (*SHAPES[lang],):
        if f"n_{name}" in found:
            sure = judged.filter(pl.col("shape") == name, pl.col("confidence") >= 0.9).height
            firm = "–" if name == "inconclusive" else sure
            rows.append((SHAPES[lang][name], found[f"n_{name}"], found[f"share_{name}"], firm))
    return grid(HEADS[lang]["shapes"], rows)


def _sets(judged: pl.DataFrame, lang: str) -> str:
    rows = []
    for (name,), own in judged.group_by("set", maintain_order=True):
        kinds = [own.filter(pl.col("shape") == shape).height for shape in HEADS["set_shapes"]]
        rows.append((HEADS[lang]["set_names"][str(name)], own.height, own["family"].n_unique(), own["models"].max(),
                     own.filter("capable").height, *kinds))  # fmt: skip
    return grid(HEADS[lang]["sets"] + [SHAPES[lang][shape] for shape in HEADS["set_shapes"]], rows)


def _examples(rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame], judged: pl.DataFrame, lang: str) -> str:
    lines, head = [], HEADS[lang]
    points, others, axes = tables["examples"], pairs(judged), tables["axes"]
    for place, row in enumerate(rows.iter_rows(named=True), 1):
        same = [pl.col(name).eq_missing(row[name]) for name in KEY]
        own = points.filter(*same).unique("rung", maintain_order=True)
        scores = " ".join(f"{y:.3f}".lstrip("0") if y < 1 else "1" for y in own["y"])
        sister = others.filter(*same)["shape_other"].to_list()
        other = axes.filter(*same).row(0, named=True) if axes.filter(*same).height else {}
        name = f"{row['task']}, {row['family']}" + (f", {head['shots'].format(n=row['shots'])}" if row["shots"] else "")
        sure = percent(row["confidence"])
        verdict = SHAPES[lang][row["shape"]]
        doubts = "; ".join(
            filter(None, (doubt(row, sister, other, elsewhere(row, judged), lang), note(row, own, lang)))
        )
        if row["shape"] != "saturated":  # that is counted, not weighed
            verdict = f"{verdict}, {sure}"
        lines.append((place, name, scores, verdict, doubts))
    return grid(HEADS[lang]["examples"], lines)


def elsewhere(row: Mapping[str, Any], judged: pl.DataFrame) -> list[tuple[str, int]]:
    """How the other public families fared on the task of an emergent curve: (shape, how many), most first."""
    if row["shape"] != "emergent":
        return []
    others = judged.filter(
        pl.col("set") == "Public models", pl.col("task") == row["task"], pl.col("family") != row["family"]
    )
    return others.group_by("shape").len().sort("len", "shape", descending=[True, False]).rows()


def doubt(
    row: Mapping[str, Any], sister: list[str], other: Mapping[str, Any], others: list[tuple[str, int]], lang: str
) -> str:
    """What speaks against a verdict, from the tables."""
    say, names = DOUBTS[lang], SHAPES[lang]
    found = []
    if (
        row["breakthroughness"] is not None
        and row["shape"] in ("flat", "smooth", "saturated")
        and row["breakthroughness"] > 10
    ):
        found.append(say["index"].format(b=f"{row['breakthroughness']:.1f}"))
    if row["models"] <= 5:
        found.append(say["models"].format(n=row["models"]))
    for flag in ("outlier-driven", "largest-only", "edge-driven", "below-chance-start"):
        if flag in row["flags"]:
            found.append(say[flag])
    if row["width_hi"] is not None and row["shape"] == "emergent":
        low, high = f"{row['width_lo']:.2f}", f"{row['width_hi']:.2f}"
        found.append(say["one width" if low == high else "width"].format(lo=low, hi=high))
    if row["shape"] == "emergent" and row["artefact"] in ("untested", "undetermined"):
        found.append(say[row["artefact"]])
    flops = other.get("training_flops")
    if flops and flops != row["shape"]:
        found.append(say["flops"].format(shape=names[flops]))
    if sister:
        found.append(say["sister"].format(shapes=", ".join(names[s] for s in sister)))
    else:
        found.append(say["no sister"])
    if others:
        counts = [say["count"].format(n=n, shape=names[shape]) for shape, n in others]
        found.append(say["elsewhere"].format(shapes="、".join(counts) if lang == "zh" else ", ".join(counts)))
    if row["items"] < 250:
        found.append(say["items"].format(n=row["items"]))
    return "; ".join(found)


def note(row: Mapping[str, Any], own: pl.DataFrame, lang: str) -> str:
    """What is known of a family, or of one of its curves with the points ``own``, from outside the tables."""
    said_of = NOTES[lang].get((row["family"], row["task"]), NOTES[lang].get((row["family"], ""), ""))
    scores = dict(own.select("rung", "y").iter_rows())
    climbs = CLIMBS.get((row["family"], row["task"]), {})
    return said_of.format(**{name: _points(scores[last] - scores[first]) for name, (first, last) in climbs.items()})


def _points(value: float) -> str:
    return f"{value:.2f}".lstrip("0")


def grid(head: list[str], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table."""
    text = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)
