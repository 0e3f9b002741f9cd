"""Coverage-guided fuzzing of the query language (atheris, from PyPI; Linux).

    python benchmarks/fuzz_query.py -max_total_time=300

Every text is a statement, raw or of the language's own words. It may run or be refused in one short printable line;
anything else (another error, a crash, a hang, a file read, a word of the program's memory in an answer) is a finding,
and so is a SELECT that makes another number of calls than EXPLAIN foretold, exactly or at most, with no answer known
before. ``-len_control=0 -max_len=300`` loses and exchanges words of the whole statements from the beginning.
"""

from __future__ import annotations

import re
import sys
import zlib
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
    "SELECT n, ai_agg(x, 'Sum.') AS s FROM t WHERE ai_filter('A', x) GROUP BY n HAVING ai_rate(max(x), 'r') > 2",
    "SELECT n, ai_agg(x, 'Sum.') FILTER (WHERE id > 1) FROM t GROUP BY n ORDER BY ai_agg(x, 'Sum.') LIMIT 2",
    "SELECT id, (SELECT ai_agg(u.x, 'Sum.') FROM t u) FROM t WHERE ai_filter('A', x) LIMIT 1",
    "SELECT a.id, b.id FROM t a LEFT JOIN t b ON ai_filter('Have {} and {} opposite sentiment?', a.x, b.x) LIMIT 3",
    "WITH p AS (SELECT * FROM t WHERE ai_filter('A', x)) SELECT count(*) FROM p a JOIN p b ON a.id < b.id "
    "AND ai_filter('Have {} and {} the same size?', a.x, b.x, labels := ['s', 'l']) USING pairs off",
    "WITH p AS (SELECT id, x FROM t ORDER BY ai_rate(x, 'r', 1, 5) DESC, id LIMIT 3) SELECT a.id FROM p a JOIN p b "
    "ON a.id <> b.id AND ai_filter('Is {} better than {}?', a.x, b.x) GROUP BY a.id ORDER BY count(*) DESC LIMIT 2",
    "SELECT n, max(ai_rate(x, 'r')) AS m FROM t GROUP BY n ORDER BY m DESC LIMIT 1 OFFSET 1",
    "SELECT id FROM t WHERE ai_filter('A', x) AND ai_rate(x, 'r') > 2 "
    "UNION ALL SELECT id FROM t WHERE ai_filter('A', x)",
    "SELECT id, ai_filter('A', x) FROM t QUALIFY row_number() OVER (PARTITION BY n ORDER BY ai_rate(x, 'r') DESC) = 1",
    "SELECT AI.CLASSIFY(x, ['a', ('b', 'c')], output_mode => 'multi') AS v, count(*) FROM t GROUP BY v",
    "SELECT AI_EXTRACT(x, [['who', 'Who?'], ['b', 'B?']]) AS e FROM t WHERE e.who IS NOT NULL ORDER BY e.b LIMIT 2",
    "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.id = t.id AND ai_filter('A', u.x)) "
    "OR ai_score('B', x) > .5",
    "SELECT CASE WHEN ai_filter('A', x) THEN ai_rate(x, 'r') ELSE n END AS v FROM t ORDER BY v LIMIT 2",
    "SELECT DISTINCT ON (n) id, ai_rate(x, 'r') FROM t WHERE ai_filter('A', x) ORDER BY n, ai_rate(x, 'r')",
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
                drawn = zlib.crc32(request.prompt.encode(errors="replace"))
                logs = tuple(-1.0 - (drawn + 7 * at) % 11 for at, _ in enumerate(request.options))
                on_output(index, Output(logprobs=logs, token_counts=(1,) * len(logs), greedy=(False,) * len(logs)))
            else:
                on_output(index, Output(texts=(request.prompt[-40:],) * request.samples))

    def close(self) -> None:
        pass


TABLE = pl.DataFrame(
    {"id": range(6), "n": [0, 1, 0, 1, 2, 2], "x": ["a", "'); DROP TABLE t; --", None, "b {} c", "a", "word " * 600]}
)
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
            result = SESSION.run(part)
            assert SECRET not in str(result.table)
            if part[:6].upper() in ("SELECT", "WITH C", "WITH P"):
                foretold(part)
    except UserError as refused:
        message = str(refused)
        assert message.isprintable(), message
        assert len(message) < 400, message
        assert SECRET not in message


def foretold(text: str) -> None:
    """That each step makes the calls that EXPLAIN says, all answers forgotten."""
    SESSION.models.close()
    for said, made in SESSION.run(f"EXPLAIN ANALYZE {text}").pl().select("calls", "actual_calls").rows():
        most = re.fullmatch(r"(at most )?(\d+)", said)
        if most is not None:
            assert made <= int(most[2]), f"{said}: {made}"
            assert most[1] or made == int(most[2]), f"{said}: {made}"


def main() -> None:
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
