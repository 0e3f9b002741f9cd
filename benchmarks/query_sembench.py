"""The ten queries of SemBench's film scenario (VLDB 2026): quality by its own measures, calls, tokens, seconds.

    python benchmarks/query_sembench.py FOLDER [MODEL] [QUERY …]

FOLDER holds ``reviews.csv`` and, where there is one, ``peers.json`` (what four other systems scored, with one hosted
model); ``made`` makes reviews in its place. MODEL ``gold:0.9`` (the default) is a stand-in that says a review's own
label in nine cases of ten, so that what is measured is the plan and not the model. Each query has a session of its own.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from scalecurve.models import Model
from scalecurve.query.session import Session
from scalecurve.types import Output, Request

FILM, PAIRED = "taken_3", "ant_man_and_the_wasp_quantumania"
POSITIVE = "ai_filter('Is this review of a film positive?', reviewText)"
PAIR = (
    "FROM r a JOIN r b ON a.reviewId <> b.reviewId AND "
    "ai_filter('Have {{}} and {{}} {} sentiment?', a.reviewText, b.reviewText)"
)
SAME, OPPOSITE = PAIR.format("the same"), PAIR.format("opposite")
RATED = "ai_rate(reviewText, 'From 1 (very bad) to 5 (very good), how much did the reviewer like the film?', 1, 5)"
ONE = f"WHERE movie = '{FILM}'"
BOTH = f"WHERE a.movie = '{PAIRED}' AND b.movie = '{PAIRED}'"
QUERIES = {
    "Q1": f"SELECT reviewId FROM r WHERE {POSITIVE} LIMIT 5",
    "Q2": f"SELECT reviewId FROM r {ONE} AND {POSITIVE} LIMIT 5",
    "Q3": f"SELECT count(*) FROM r {ONE} AND {POSITIVE}",
    "Q4": f"SELECT count(*) FILTER (WHERE {POSITIVE}) / count(*) FROM r {ONE}",
    "Q5": f"SELECT a.reviewId, b.reviewId {SAME} {BOTH} LIMIT 10",
    "Q6": f"SELECT a.reviewId, b.reviewId {OPPOSITE} {BOTH} LIMIT 10",
    "Q7": f"SELECT a.reviewId, b.reviewId {OPPOSITE} {BOTH}",
    "Q8": "SELECT ai_classify(reviewText, ['POSITIVE', 'NEGATIVE'], 'What is the sentiment of this review?') AS s, "
    f"count(*) FROM r {ONE} GROUP BY 1 ORDER BY 1",
    "Q9": f"SELECT reviewId, {RATED} FROM r WHERE movie = '{PAIRED}'",
    "Q10": f"SELECT movie, avg({RATED}) AS m FROM r GROUP BY movie ORDER BY m DESC",
}


class Gold(Model):
    """Says what a review's label says, in ``right`` of the cases; a rating likewise, two below or above the middle."""

    scores = True
    constrains = False

    def __init__(self, reviews: pl.DataFrame, right: float) -> None:
        self.name = f"gold:{right}"
        self.fingerprint = hashlib.sha256(self.name.encode()).hexdigest()
        self.right = right
        self.labels = dict(zip(reviews["reviewText"], reviews["scoreSentiment"], strict=True))

    def parameters(self) -> tuple[int, int]:
        return 1, 1

    def count_tokens(self, text: str) -> int:
        return max(1, len(text) // 4)

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        import math

        for index, request in enumerate(requests):
            found = [label for text, label in self.labels.items() if text in request.prompt]
            positive = Counter(found)["POSITIVE"] > 0
            drawn = random.Random(request.prompt).random() < self.right
            positive = positive if drawn else not positive
            wanted = {"yes", "positive", "POSITIVE", "4"} if positive else {"no", "negative", "NEGATIVE", "2"}
            logs = [
                math.log(0.8 if option.strip() in wanted else 0.2 / len(request.options)) for option in request.options
            ]
            tokens = self.count_tokens(request.prompt)
            on_output(index, Output(logprobs=tuple(logs), token_counts=(1,) * len(logs), prompt_tokens=tokens,
                                    greedy=(False,) * len(logs)))  # fmt: skip

    def close(self) -> None:
        pass


def made_reviews(n: int = 2000) -> pl.DataFrame:
    """Reviews of the same shape as the benchmark's, made up."""
    draw = random.Random(0)
    rows = []
    for at in range(n):
        film = FILM if at % 17 == 0 else PAIRED if at % 8 == 0 else f"film_{at % 103}"
        positive = draw.random() < (0.15 if film == FILM else 0.55)
        word = draw.choice(("A joy", "Splendid", "Moving") if positive else ("A bore", "Dreadful", "Lifeless"))
        stars = draw.randint(3, 5) if positive else draw.randint(1, 3)
        sentiment = "POSITIVE" if positive else "NEGATIVE"
        rows.append((film, at, f"{stars}/5", sentiment, f"{word}; number {at} in a long line of films about nothing."))
    return pl.DataFrame(
        rows, schema=["movie", "reviewId", "originalScore", "scoreSentiment", "reviewText"], orient="row"
    )


# ── Quality ──────────────────────────────────────────────────────────────────────────────────────────────────
def quality(query: str, rows: list[tuple[Any, ...]], reviews: pl.DataFrame) -> str:
    """The benchmark's measure of a query's result, in words."""
    gold = dict(zip(reviews["reviewId"], reviews["scoreSentiment"], strict=True))
    one = reviews.filter(pl.col("movie") == FILM)["scoreSentiment"]
    positive = (one == "POSITIVE").sum()
    if query in ("Q1", "Q2"):
        return _f1(sum(gold[at] == "POSITIVE" for (at,) in rows), len(rows), 5)
    if query in ("Q3", "Q4"):
        wanted = positive if query == "Q3" else positive / len(one)
        return f"relative error {abs(rows[0][0] - wanted) / wanted:.3f}"
    if query in ("Q5", "Q6", "Q7"):
        right = sum((gold[a] == gold[b]) == (query == "Q5") for a, b in rows)
        ours = reviews.filter(pl.col("movie") == PAIRED)
        counts = ours["scoreSentiment"].value_counts()["count"].to_list()
        return _f1(right, len(rows), 10 if query != "Q7" else 2 * counts[0] * counts[1])
    if query == "Q8":
        wanted_counts = {"POSITIVE": positive, "NEGATIVE": len(one) - positive}
        found = dict(rows)
        errors = [abs(found.get(label, 0) - count) / count for label, count in wanted_counts.items()]
        return f"relative error {sum(errors) / 2:.3f}"
    if query == "Q9":
        scores = {at: _stars(text) for at, text in zip(reviews["reviewId"], reviews["originalScore"], strict=True)}
        pairs = [(value, scores[at]) for at, value in rows if value is not None and scores[at] is not None]
        return f"Spearman {_spearman(pairs):.3f} ({len(pairs)} with a score)"
    means = reviews.group_by("movie").agg((pl.col("scoreSentiment") == "POSITIVE").mean().alias("share"))
    share = dict(means.rows())
    return f"Spearman {_spearman([(value, share[film]) for film, value in rows]):.3f} (with the share of positive ones)"


def _f1(right: int, found: int, wanted: int) -> str:
    precision, recall = right / max(1, found), min(1.0, right / wanted)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return f"F1 {f1:.3f} (precision {precision:.3f}, recall {recall:.3f})"


def _stars(text: str | None) -> float | None:
    """A critic's score as a share: 3.5/5, 7/10, B+."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*([\d.]+)\s*/\s*([\d.]+)\s*", text)
    if found:
        return float(found.group(1)) / float(found.group(2)) if float(found.group(2)) else None
    grades = "F D- D D+ C- C C+ B- B B+ A- A A+".split()
    return grades.index(text.strip()) / 12 if text.strip() in grades else None


def _spearman(pairs: list[tuple[float, Any]]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(*zip(*pairs, strict=True)).statistic) if len(pairs) > 2 else float("nan")


def main() -> None:
    """Print one table."""
    folder, model, *wanted = (*sys.argv[1:], *("made", "gold:0.9")[len(sys.argv[1:]) :])
    made = folder == "made"
    reviews = made_reviews() if made else pl.read_csv(Path(folder) / "reviews.csv")
    peers_at = Path(folder) / "peers.json"
    peers = json.loads(peers_at.read_text()) if not made and peers_at.exists() else {}
    print("| query | foretold | calls | tokens | seconds | rows | quality | least tokens of a peer |")
    print("|---|---|---|---|---|---|---|---|")
    for query in wanted or QUERIES:
        given = {model: Gold(reviews, float(model.partition(":")[2]))} if model.startswith("gold:") else None
        session = Session(model, attach={"r": reviews}, models=given)
        plan = session.plan(QUERIES[query])
        foretold = f"{'' if all(ask.exact for ask in plan.asks) else 'at most '}{plan.calls:,}"
        began = time.monotonic()
        result = session.run(QUERIES[query])
        seconds = time.monotonic() - began
        rows = result.pl().rows()
        tokens = [peer[query]["token_usage"] for peer in peers.values() if peer[query].get("token_usage")]
        spent = f"{result.usage.calls:,} | {result.usage.tokens:,} | {seconds:.1f}"
        measured = f"{len(rows):,} | {quality(query, rows, reviews)} | {f'{min(tokens):,.0f}' if tokens else '–'}"
        print(f"| {query} | {foretold} | {spent} | {measured} |", flush=True)
        session.close()


if __name__ == "__main__":
    main()
