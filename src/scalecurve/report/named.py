"""Of a score that falls: how many wrong answers are the option that the question itself names, such as a belief."""

from __future__ import annotations

import re
from typing import Any

from scalecurve.report.data import Contents
from scalecurve.report.examples import cells_of, paths_of

LEAST = 5  # wrong answers, of which more than a third repeat the question, to be worth a sentence


def named_in_question(contents: Contents, curve: dict[str, Any], at: int) -> tuple[int, int] | None:
    """(wrong answers of the curve's model ``at``, those that are the one option named in the question).

    None without options, and where this is no pattern. An answer is the option with the largest log-probability;
    options that are named together with others do not count.
    """
    import polars as pl

    family = contents.families[curve["f"]]
    rung, task = family["rungs"][curve["r"][at]]["key"], contents.refs[curve["t"]]
    wrong = repeated = 0
    for source in contents.sources:
        if family["name"] not in source.labels.values():
            continue
        for cell, record in cells_of(source, task):
            asked = cell.rung, cell.strategy, cell.shots, source.labels.get(cell.family)
            if asked != (rung, curve["s"], curve["k"], family["name"]):
                continue
            for path in paths_of(source, cell, record):
                try:
                    rows = pl.read_parquet(
                        path, columns=["input", "options", "option_logprobs", "option_scores"], hive_partitioning=False
                    )
                except (OSError, pl.exceptions.PolarsError):  # a part that is being replaced while the run goes on
                    continue
                for question, options, logprobs, scores in rows.iter_rows():
                    own = _answer(question, options or [], logprobs or [], scores or [])
                    wrong, repeated = wrong + own[0], repeated + own[1]
    return (wrong, repeated) if wrong >= LEAST and 3 * repeated > wrong else None


def _answer(question: str, options: list[str], logprobs: list[float | None], scores: list[float]) -> tuple[bool, bool]:
    """(whether the likeliest option is wrong, whether it is also the one that the question names)."""
    if not options or len(logprobs) != len(options) or len(scores) != len(options):
        return False, False
    known = [float("-inf") if value is None or value != value else value for value in logprobs]
    best = known.index(max(known))
    named = [i for i, option in enumerate(options) if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", question or "")]
    return scores[best] <= 0, scores[best] <= 0 and named == [best]
