"""Two sides compared, as one HTML file: differences with intervals, and the questions that only one side got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.report.safe import minus, visible
from scalecurve.report.words import HTML_LANGUAGE, comparison_words, words

if TYPE_CHECKING:
    from scalecurve.analysis.compare.sides import Side

LISTED = 20  # questions won, and lost, of a row; the rest are counted
TEXT = 600


def write_comparison(
    one: Side,
    other: Side,
    rows: Sequence[Mapping[str, Any]],
    ladder: Sequence[Mapping[str, Any]],
    adjust: str,
    out: Path,
    lang: str = "en",
) -> Path:
    """Write the comparison of ``one`` (A) and ``other`` (B) to ``out`` and return it.

    ``rows`` and ``ladder``: what ``compare_sides`` and ``over_scale`` found. The file needs no network and no script.
    ``lang`` is ``en`` or ``zh``; ``UserError`` for another.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    from scalecurve._version import __version__
    from scalecurve.report.page import page_text
    from scalecurve.store.atomic import write_bytes

    widest = max((abs(row[name]) for row in rows for name in ("low", "high") if row[name] is not None), default=1.0)
    ordered = sorted(rows, key=lambda row: ({"A": 0, "B": 1}.get(row["better"], 2), -abs(row["difference"])))
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        page_text("comparison.html")
    )
    said, names = comparison_words(lang), {"a": visible(one.name, 120), "b": visible(other.name, 120)}
    counts = {"better": sum(row["better"] == "A" for row in rows), "worse": sum(row["better"] == "B" for row in rows)}
    found = "none" if not any(counts.values()) else "better_worse" if counts["worse"] else "better"
    page = template.render(
        **names, w=said, adjust=adjust, version=__version__, html_lang=HTML_LANGUAGE[lang],
        css=Markup(page_text("report.css")), ladder=[_of_ladder(row, lang) for row in ladder],
        headline=said[found].format(**names, **counts, all=len(rows)),
        rows=[_shown(one, other, row, widest or 1.0, lang) for row in ordered],
        unpaired=sum(row["method"] == "unpaired" for row in rows),
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, page.encode("utf-8", "replace"))
    return out


def _shown(one: Side, other: Side, row: Mapping[str, Any], widest: float, lang: str) -> dict[str, object]:
    from scalecurve.analysis.compare.sides import questions

    found = questions(one, other, row) if row["method"] != "unpaired" else {"wins": [], "losses": []}
    ids = [*found["wins"][:LISTED], *found["losses"][:LISTED]]
    mine = _answers(one, row["task"], row["rung"], row["strategy"], ids)
    theirs = _answers(other, row["task"], row["rung_b"], row["strategy_b"], ids)

    def listed(kind: str) -> list[dict[str, Any]]:
        return [
            {"id": visible(item, 80), **mine[item], "theirs": theirs[item]["said"]}
            for item in found[kind][:LISTED]
            if item in mine and item in theirs
        ]

    named = words(lang)
    ways = dict.fromkeys(named.get(way, visible(way, 80)) for way in (row["strategy"], row["strategy_b"]))
    asked = f"{' / '.join(ways)}{named['list']}{named['shots'].format(k=row['shots'])}"
    models = " / ".join(dict.fromkeys((row["rung"], row["rung_b"])))
    return dict(row) | {
        "task": visible(row["task"], 200), "asked": asked, "models": visible(models, 200),
        "won": listed("wins"), "lost": listed("losses"), "bar": _bar(row, widest),
        "metric": named.get(row["metric"], visible(row["metric"], 80)), **_numbers(row, lang),
        "more_won": max(0, len(found["wins"]) - LISTED), "more_lost": max(0, len(found["losses"]) - LISTED),
    }  # fmt: skip


def _numbers(row: Mapping[str, object], lang: str) -> dict[str, str]:
    """Scores, their difference and its interval as the page writes them."""
    interval = "–"
    if row["low"] is not None:
        low, high = (minus(f"{row[name]:.3f}") for name in ("low", "high"))
        interval = comparison_words(lang)["to"].format(low=low, high=high)
    scores = {name: minus(f"{row[name]:.3f}") for name in ("a", "b") if name in row}
    return scores | {"difference": minus(f"{row['difference']:+.3f}"), "interval": interval}


def _of_ladder(row: Mapping[str, Any], lang: str) -> dict[str, object]:
    p = row["slope_p"]
    return dict(row) | _numbers(row, lang) | {
        "task": visible(row["task"], 200), "metric": words(lang).get(row["metric"], visible(row["metric"], 80)),
        "slope": minus(f"{row['slope']:+.3f}"), "p": "<.001" if p < 0.001 else f"{p:.3f}",
    }  # fmt: skip


def _bar(row: Mapping[str, Any], widest: float) -> dict[str, float]:
    """Where the interval and its middle lie on a line of 160 points around zero."""
    place = {name: 80 + 76 * max(-1.0, min(1.0, (row[name] or 0.0) / widest)) for name in ("low", "high", "difference")}
    return {name: round(x, 1) for name, x in place.items()}


def _answers(side: Side, task: str, rung: str, strategy: str, ids: Sequence[str]) -> dict[str, dict[str, object]]:
    """Example → question, what was right, and what the side said."""
    import polars as pl

    from scalecurve.store import open_run, read_outputs

    if side.path is None or not ids:
        return {}
    same = (pl.col("rung") == rung) & (pl.col("strategy") == strategy) & pl.col("example_id").is_in(list(ids))
    names = ("example_id", "input", "targets", "options", "option_logprobs", "option_scores", "text", "response")
    frame = read_outputs(open_run(side.path), task).filter(same).select(names).collect()
    return {row["example_id"]: _said(row) for row in frame.iter_rows(named=True)}


def _said(row: Mapping[str, Any]) -> dict[str, object]:
    options, logs, worth = row["options"] or [], row["option_logprobs"] or [], row["option_scores"] or []
    picked = options[max(range(len(logs)), key=lambda at: logs[at])] if options and len(logs) == len(options) else None
    right = [option for option, value in zip(options, worth, strict=False) if value == max(worth)] if worth else []
    wrote = row["response"] or row["text"]
    said = picked if picked is not None else wrote
    return {
        "question": visible(row["input"], TEXT),
        "right": visible(", ".join(row["targets"] or right), 200),
        "said": visible(said, TEXT) if said else "–",
    }
