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
    "ai_rate ai_agg AI.IF AI_FILTER PROMPT('{0}',x) => {'a':'b'} labels pairs "
    "ai_score ai_extract ai_complete model('m') model('m').c model(ladder).c ladder seed gate on off CASE WHEN "
    "THEN END UNION JOIN ON LIMIT OFFSET GROUP BY HAVING ORDER QUALIFY DISTINCT EXPLAIN ANALYZE CREATE KNOWLEDGE TABLE "
    "KEY EXAMPLES PIVOT UNNEST INT VARCHAR NULL TRUE count(*) sum(id) over() recall precision budget tokens strategy "
    "cot sc(3) auto min_confidence read_csv read_text '/etc/passwd' ATTACH COPY INSTALL PRAGMA SET getenv('HOME') "
    'duckdb_settings() __ai_1 __q1 ? $p1 -- /* */ "x" { } : :: = < > AND OR NOT IN IS ROLLUP ALL'
).split()
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
    if given.ConsumeBool():
        text = given.ConsumeUnicode(400)
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
