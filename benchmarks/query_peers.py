"""SemBench's ten film queries, asked by our language, LOTUS and BlendSQL of one model behind one server.

    python benchmarks/query_peers.py FOLDER --lotus ENV/bin/python --blendsql ENV/bin/python
        [--model smollm2-135m | gemma3-270m] [--queries Q1,Q7] [--systems scalecurve,LOTUS] [--own-labels]

FOLDER as for ``query_sembench.py``, whose queries and measures these are (``made`` makes reviews up). The others live
in environments of their own (``pip install lotus-ai==1.2.4``, ``blendsql==0.1.28``). Of the reviews a part is taken,
always the same: every fifth of the one film (24), every 21st of the film whose reviews are paired (13), and the first
two of each of the first 14 other films by name: 65. Calls and tokens are counted between the systems and the server
(llama.cpp, one thread, four at once), as its replies tell them; a prefix that the server has kept counts too. Seconds
are the server's processor time, which another job beside it changes little.

LOTUS asks about every pair of a join. BlendSQL has no join by meaning on pairs, and is given our plan by hand: a label
of each review, and SQL to compare them. Answers have at most five tokens, but for ours, which reads the options'
probabilities as the first token of the reply; a last column says what that costs and gives in our own process.

With ``--own-labels`` the server's yes or no to queries 1 to 4 is replaced by the review's own label, so that all are
equally good, and what is left is what each system asks; the tokens are still those that the model has read and written.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from query_sembench import FILM, PAIRED, QUERIES, made_reviews, quality
from query_versus import Proxy, family_of, served

from scalecurve.query.session import Session

IN_PROCESS = "in process"
SAME, OTHER = "a.s = b.s", "a.s <> b.s"
LOTUS = """
import json, re, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd, lotus
from lotus.models import LM
url, table, film, paired, wanted = sys.argv[1:]
lotus.settings.configure(lm=LM(model="openai/served", api_base=url, api_key="none", max_tokens=5, max_batch_size=4),
                         enable_cache=False)
r = pd.read_csv(table)
one, two = r[r.movie == film], r[r.movie == paired][["reviewId", "reviewText"]]
left = two.rename(columns={"reviewId": "a", "reviewText": "first"})
right = two.rename(columns={"reviewId": "b", "reviewText": "second"})
positive = lambda frame: frame.sem_filter("{reviewText} is a positive review of a film")
def joined(how):
    found = left.sem_join(right, "{first} and {second} have " + how + " sentiment")
    found = found[found.a != found.b]
    return found[["a", "b"]].values.tolist()
def labels():
    said = one.sem_map("What is the sentiment of the review {reviewText}? Answer only POSITIVE or NEGATIVE.")._map
    found = said.str.upper().str.extract("(POSITIVE|NEGATIVE)")[0].value_counts()
    return list(found.items())
def rated(frame):
    said = frame.sem_map("From 1 (very bad) to 5 (very good), how much did the reviewer of {reviewText} like the film? "
                         "Answer only with the number.")._map
    return said.str.extract("([1-5])")[0].astype(float)
QUERIES = {
    "Q1": lambda: [[each] for each in positive(r).reviewId[:5]],
    "Q2": lambda: [[each] for each in positive(one).reviewId[:5]],
    "Q3": lambda: [[len(positive(one))]],
    "Q4": lambda: [[len(positive(one)) / len(one)]],
    "Q5": lambda: joined("the same")[:10],
    "Q6": lambda: joined("opposite")[:10],
    "Q7": lambda: joined("opposite"),
    "Q8": labels,
    "Q9": lambda: [list(each) for each in zip(two.reviewId, rated(two))],
    "Q10": lambda: [list(each) for each in r.assign(n=rated(r)).groupby("movie").n.mean().items()],
}
for name in wanted.split(","):
    began = time.perf_counter()
    rows = QUERIES[name]()
    said = {"query": name, "rows": rows, "seconds": time.perf_counter() - began}
    print("\\n" + json.dumps(said, default=float), flush=True)
    sys.stdin.readline()
"""
BLENDSQL = """
import json, os, sys, time
os.environ["BLENDSQL_MAX_TOKENS"], os.environ["BLENDSQL_ASYNC_LIMIT"] = "5", "4"
import pandas as pd
from blendsql import BlendSQL
from blendsql.ingredients import LLMMap
from blendsql.models import OpenAI
url, table, queries = sys.argv[1:]
model = OpenAI("served", api_key="none", base_url=url, caching=False)
for name, text in json.loads(queries).items():
    bsql = BlendSQL({"r": pd.read_csv(table)}, model=model, ingredients={LLMMap})
    began = time.perf_counter()
    try:
        rows = bsql.execute(text).df().values.tolist()
        said = {"query": name, "rows": rows, "seconds": time.perf_counter() - began}
    except Exception as error:  # whatever the peer does with a query is its result
        said = {"query": name, "error": f"{type(error).__name__}: {error}"[:200], "seconds": 0}
    print("\\n" + json.dumps(said, default=str), flush=True)
    sys.stdin.readline()
"""
POSITIVE = "{{LLMMap('Is this review of a film positive?', reviewText, return_type='bool')}}"
SENTIMENT = "{{LLMMap('What is the sentiment of this review?', reviewText, options=('POSITIVE', 'NEGATIVE'))}}"
RATED = (
    "{{LLMMap('From 1 (very bad) to 5 (very good), how much did the reviewer like the film?', reviewText, "
    "return_type='int')}}"
)
ONE = f"WHERE movie = '{FILM}'"
PAIRS = f"WITH p AS (SELECT reviewId, {SENTIMENT} AS s FROM r WHERE movie = '{PAIRED}') SELECT a.reviewId, b.reviewId "
PAIRS += "FROM p a JOIN p b ON a.reviewId <> b.reviewId AND "
BLENDSQL_QUERIES = {
    "Q1": f"SELECT reviewId FROM r WHERE {POSITIVE} = TRUE LIMIT 5",
    "Q2": f"SELECT reviewId FROM r {ONE} AND {POSITIVE} = TRUE LIMIT 5",
    "Q3": f"SELECT count(*) FROM r {ONE} AND {POSITIVE} = TRUE",
    "Q4": f"SELECT avg(CASE WHEN {POSITIVE} = TRUE THEN 1.0 ELSE 0.0 END) FROM r {ONE}",
    "Q5": f"{PAIRS}{SAME} LIMIT 10",
    "Q6": f"{PAIRS}{OTHER} LIMIT 10",
    "Q7": f"{PAIRS}{OTHER}",
    "Q8": f"SELECT {SENTIMENT} AS s, count(*) FROM r {ONE} GROUP BY 1",
    "Q9": f"SELECT reviewId, {RATED} FROM r WHERE movie = '{PAIRED}'",
    "Q10": f"WITH p AS (SELECT movie, {RATED} AS n FROM r) SELECT movie, avg(n) FROM p GROUP BY movie",
}


def part(reviews: pl.DataFrame) -> pl.DataFrame:
    """The reviews that are asked about."""
    others = sorted(set(reviews["movie"]) - {FILM, PAIRED})[:14]
    at = pl.int_range(pl.len()).over("movie")
    every = {FILM: 5, PAIRED: 21}
    spread = pl.col("movie").replace_strict(every, default=1, return_dtype=pl.Int64)
    return reviews.filter(
        (at % spread == 0) & (pl.col("movie").is_in(list(every)) | (at < 2)), pl.col("movie").is_in([*every, *others])
    )


def own_labels(reviews: pl.DataFrame) -> Callable[[bytes, bytes], bytes]:
    """What makes of a reply to a question about a review the review's own label, in the words that were asked for."""
    labels = {
        _letters(text): label == "POSITIVE" for text, label in reviews["reviewText", "scoreSentiment"].iter_rows()
    }

    def reworded(body: bytes, said: bytes) -> bytes:
        prompt = str(json.loads(body)["messages"][-1]["content"])
        at = _letters(prompt.replace("\\n", " "))
        about = max((text for text in labels if text in at), key=len)
        words = ("yes", "no") if "yes or no" in prompt else ("True", "False")
        word, other = words if labels[about] else words[::-1]
        tops = [{"token": word, "logprob": -0.01}, {"token": other, "logprob": -5.0}]
        if said.startswith(b"data:"):
            return _streamed(said, word)
        reply = json.loads(said)
        reply["choices"][0]["message"]["content"] = word
        if reply["choices"][0].get("logprobs"):
            reply["choices"][0]["logprobs"]["content"] = [{**tops[0], "top_logprobs": tops}]
        return json.dumps(reply).encode()

    return reworded


def _streamed(said: bytes, word: str) -> bytes:
    """The same stream, with the word in place of the first piece of text and nothing in place of the others."""
    lines = []
    for line in said.decode().splitlines():
        piece = json.loads(line[5:]) if line.startswith("data: {") else None
        for choice in piece["choices"] if piece else ():
            if choice["delta"].get("content"):
                choice["delta"]["content"], word = word, ""
        lines.append(f"data: {json.dumps(piece)}" if piece else line)
    return ("\n".join(lines) + "\n\n").encode()


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def other(python: str, program: str, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """What another system says of each query, one after the other; it goes on when the next is asked for."""
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [python, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{"query"'):
                yield json.loads(line)
                process.stdin.write("\n")
                process.stdin.flush()
        if process.wait():
            log.seek(0)
            raise SystemExit(log.read()[-2000:])


def ours(model: str, path: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    """The same of ours; each query has a session of its own."""
    for name in names:
        session = Session(model, attach={"r": path})
        began = time.process_time()
        found = session.run(QUERIES[name])
        said = {"query": name, "rows": [list(row) for row in found.pl().rows()], "seconds": time.process_time() - began}
        yield said | {"calls": found.usage.calls, "tokens": found.usage.tokens}
        session.close()


def measured(
    found: Iterator[dict[str, Any]], proxy: Proxy | None, reviews: pl.DataFrame
) -> dict[str, tuple[int, int, float, str]]:
    """Calls, tokens, seconds and quality of each query."""
    table = {}
    before = (proxy.calls, proxy.tokens, proxy.processor()) if proxy else (0, 0, 0.0)
    for said in found:
        own = (said.get("calls"), said.get("tokens"), said["seconds"])
        after = (proxy.calls, proxy.tokens, proxy.processor()) if proxy else own
        spent = tuple(b - a for a, b in zip(before, after, strict=True))
        rows = [tuple(row) for row in said.get("rows", ())]
        grade = said["error"] if "error" in said else graded(said["query"], rows, reviews)
        table[said["query"]] = (*spent, grade)
        print(f"  {said['query']}: {table[said['query']]}", file=sys.stderr, flush=True)
        before = after if proxy else before
    return table


def graded(query: str, rows: list[tuple[Any, ...]], reviews: pl.DataFrame) -> str:
    """The benchmark's measure; rows without a number, or with a label of no kind, count as missing."""
    if query in ("Q9", "Q10"):
        rows = [(at, float(n)) for at, n in rows if n is not None and re.fullmatch(r"\d+(\.\d+)?", str(n))]
        if query == "Q9":
            rows = [(int(at), n) for at, n in rows]
    elif query == "Q8":
        rows = [(str(label).strip().upper(), int(n)) for label, n in rows]
    elif query in ("Q3", "Q4"):
        rows = [(float(rows[0][0] or 0),)]
    return quality(query, rows, reviews)


def main() -> None:
    """Print the table: a line a query and system."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--lotus", default="")
    parser.add_argument("--blendsql", default="")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--systems", default=f"scalecurve,BlendSQL,LOTUS,{IN_PROCESS}")
    parser.add_argument("--queries", default=",".join(QUERIES))
    parser.add_argument("--own-labels", action="store_true")
    given = parser.parse_args()
    names = given.queries.split(",")
    if given.own_labels and set(names) - {"Q1", "Q2", "Q3", "Q4"}:
        parser.error("--own-labels answers queries 1 to 4: add --queries Q1,Q2,Q3,Q4")
    reviews = part(made_reviews() if given.folder == "made" else pl.read_csv(Path(given.folder) / "reviews.csv"))
    found = {}
    with tempfile.TemporaryDirectory() as folder, served(given.model) as proxy:
        if given.own_labels:
            proxy.reworded = own_labels(reviews)
        path, family = Path(folder) / "r.csv", Path(folder) / "served.toml"
        reviews.write_csv(path)
        family.write_text(family_of(proxy.url))
        texts = json.dumps({name: BLENDSQL_QUERIES[name] for name in names})
        systems: dict[str, tuple[bool, Callable[[], Iterator[dict[str, Any]]], Proxy | None]] = {
            "scalecurve": (True, lambda: ours(str(family), path, names), proxy),
            "BlendSQL": (
                bool(given.blendsql),
                lambda: other(given.blendsql, BLENDSQL, [proxy.url, str(path), texts]),
                proxy,
            ),
            "LOTUS": (
                bool(given.lotus),
                lambda: other(given.lotus, LOTUS, [proxy.url, str(path), FILM, PAIRED, ",".join(names)]),
                proxy,
            ),
            IN_PROCESS: (True, lambda: ours(given.model, path, names), None),
        }
        for system, (there, asked, counter) in systems.items():
            if there and system in given.systems.split(","):
                found[system] = measured(asked(), counter, reviews)
    print("| query | system | calls | tokens | seconds | quality |\n|---|---|---|---|---|---|")
    for name in names:
        for system, table in found.items():
            calls, tokens, seconds, grade = table[name]
            print(f"| {name} | {system} | {calls:,} | {tokens:,} | {seconds:.1f} | {grade} |")


if __name__ == "__main__":
    main()
