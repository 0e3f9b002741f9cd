"""Coverage-guided fuzzing of the query language (atheris, from PyPI; Linux).

    python benchmarks/fuzz_query.py -max_total_time=300

Every text is a statement, raw or of the language's own words. It may run or be refused in one short printable line;
anything else (another error, a crash, a hang, a file read, a word of the program's memory in an answer) is a finding.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import atheris

with atheris.instrument_imports(include=["sqlglot", "scalecurve.query"]):
    import polars as pl

    from scalecurve.errors import UserError
    from scalecurve.models import Model
    from scalecurve.query.executor.run import Limits
    from scalecurve.query.session import Session
    from scalecurve.query.sql.parse import parse, split
    from scalecurve.types import Output, Request

WORDS = (
    "SELECT FROM WHERE USING WITH AS ( ) [ ] , ; := . * ' t x id 'x' 'lab' 1 .9 ai_ask ai_filter ai_classify ai_meta "
    "ai_rate ai_agg AI.IF AI_FILTER PROMPT('{0}',x) => {'a':'b'} labels pairs ai_rate(x,'r',1,5) ai_agg(x,'Sum.') "
    "('a',x,'b') ai_filter('{}{}',a.x,b.x) a b same sentiment AI.CLASSIFY AI_CLASSIFY "
    "[{'label':'a'}] output_mode 'multi' AI_EXTRACT AI.EXTRACT AI_COMPLETE AI.COMPLETE ai_query AI.GENERATE .result "
    "ai_gen AI.GENERATE_BOOL AI.GENERATE_INT AI.GENERATE_DOUBLE AI_SIMILARITY AI.SIMILARITY AI.SCORE AI.RATE "
    "AI_SENTIMENT ai_analyze_sentiment AI_AGG AI.AGG AI_SUMMARIZE_AGG AI_SUMMARIZE FILTER DESC ASC 3 2 ability delta "
    "ai_score ai_extract ai_complete model('m') model('m').c model(ladder).c ladder seed gate on off CASE WHEN "
    "THEN END UNION JOIN ON LIMIT OFFSET GROUP BY HAVING ORDER QUALIFY DISTINCT EXPLAIN ANALYZE CREATE KNOWLEDGE TABLE "
    "KEY EXAMPLES PIVOT UNNEST INT VARCHAR NULL TRUE count(*) sum(id) over() recall precision budget tokens strategy "
    "cot sc(3) auto min_confidence read_csv read_text '/etc/passwd' ATTACH COPY INSTALL PRAGMA SET getenv('HOME') "
    'duckdb_settings() __ai_1 __q1 ? $p1 -- /* */ "x" { } : :: = < > AND OR NOT IN IS ROLLUP ALL'
).split()
WHOLE = (
    "SELECT id FROM t ORDER BY ai_rate(x, 'r', 1, 5) DESC LIMIT 2",
    "SELECT ai_agg(x, 'Sum.') FROM t GROUP BY id",
    "SELECT a.id FROM t a JOIN t b ON ai_filter('Have {} and {} the same sentiment?', a.x, b.x) AND a.id <> b.id",
    "SELECT a.id FROM t a JOIN t b ON ai_filter('Is {} more than {}?', a.x, b.x) USING recall .9",
    "SELECT AI_CLASSIFY(x, [{'label': 'a', 'description': 'b'}, 'c'], {'output_mode': 'multi'}) FROM t",
    "SELECT AI.IF(('is ', x, ' it')), AI_EXTRACT(x, {'a': 'b'}), AI.GENERATE(('a', x)).result FROM t",
    "EXPLAIN SELECT AI.SCORE(('a', x)) , ai_rate(x, 'r', 1, 3) FROM t ORDER BY 1 LIMIT 2",
    "WITH c AS (SELECT x, ai_rate(x, 'r') AS n FROM t ORDER BY n LIMIT 2) SELECT ai_filter('?', x) FROM c",
    "SELECT AI_SIMILARITY(x, x), AI_SENTIMENT(x), AI_SUMMARIZE(x), ai_query('m', x) FROM t",
)
"""Statements of every operator, of which words are lost, doubled and exchanged."""
SECRET = "root:x:0:0"


class Echo(Model):
    """Answers every question with a part of it, so that hostile texts come back as answers."""

    name, fingerprint = "m", "echo"

    def parameters(self) -> tuple[int, int]:
        return 1, 1

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        for index, request in enumerate(requests):
            if request.options:
                logs = tuple(-float(len(option) + 1) for option in request.options)
                on_output(index, Output(logprobs=logs, token_counts=(1,) * len(logs), greedy=(False,) * len(logs)))
            else:
                on_output(index, Output(texts=(request.prompt[-40:],) * request.samples))

    def close(self) -> None:
        pass


TABLE = pl.DataFrame({"id": [1, 2, 3], "x": ["a", "'); DROP TABLE t; --", None]})
SESSION = Session("m", models={"m": Echo()}, attach={"t": TABLE}, limits=Limits(2.0, 1000, 1_000_000, 50))
SESSION.run("CREATE KNOWLEDGE TABLE c (x VARCHAR KEY, y VARCHAR, z INT)")


def one(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    kind = given.ConsumeIntInRange(0, 2)
    if kind == 0:
        text = given.ConsumeUnicode(400)
    elif kind == 1:
        words = WHOLE[given.ConsumeIntInRange(0, len(WHOLE) - 1)].split()
        for _ in range(given.ConsumeIntInRange(0, 6)):
            at = given.ConsumeIntInRange(0, len(words) - 1)
            some = [[], [words[at]] * 2, [WORDS[given.ConsumeIntInRange(0, len(WORDS) - 1)]]]
            words[at : at + 1] = some[given.ConsumeIntInRange(0, 2)] or ["("]
        text = " ".join(words)
    else:
        text = " ".join(
            WORDS[given.ConsumeIntInRange(0, len(WORDS) - 1)] for _ in range(given.ConsumeIntInRange(0, 40))
        )
    try:
        parts = split(text)
        parse(text)
        for part in parts[:3]:
            result = SESSION.run(part, [1] * 0)
            assert SECRET not in str(result.table)
    except UserError as refused:
        message = str(refused)
        assert message.isprintable(), message
        assert len(message) < 400, message
        assert SECRET not in message


def main() -> None:
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
