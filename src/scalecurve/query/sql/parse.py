"""From query text, which may be hostile, to a statement. Nothing is run, and nothing but a SELECT passes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from scalecurve.errors import UserError
from scalecurve.query.sql.aliases import function_name, to_ours
from scalecurve.query.sql.statement import AiCall, KnowledgeTable, Query, Value

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

MOST_CHARACTERS = 100_000
MOST_TOKENS = 20_000
MOST_NESTING = 32
AI_FUNCTIONS = frozenset("ai_filter ai_classify ai_extract ai_complete ai_score ai_ask ai_rate ai_agg ai_meta".split())
_CHOICES = {"gate": {"on", "off"}, "pairs": {"on", "off"}, "on_fail": {"error", "abstain", "best"}}
_SHARES = frozenset("min_confidence min_accuracy recall precision delta".split())
_TABLE_FUNCTIONS = frozenset("unnest range generate_series explode generateseries".split())
_FORBIDDEN_FUNCTIONS = frozenset("getenv current_setting query query_table glob".split())
_TOLD_BY_SYSTEM = re.compile(r"pg_settings|duckdb_\w+|pragma_\w+", re.I)  # settings, and paths of this machine
_NAME = re.compile(r"\w+")
_COMMENTS = re.compile(r"\A(\s+|--[^\n]*\n|/\*.*?\*/)+", re.S)  # before the first word
_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s+", re.I)
_OWN_NAMES = "__"  # names that begin so are the planner's


def parse(text: str) -> Query | KnowledgeTable:
    """The statement in ``text``; a UserError of one line if it is none, too large, or asks for more than reading."""
    if len(text) > MOST_CHARACTERS:
        raise UserError(f"query: {len(text)} characters; at most {MOST_CHARACTERS} are read")
    text = _COMMENTS.sub("", text)
    if re.match(r"create\b", text, re.I):
        return _knowledge_table(text)
    prefix = _EXPLAIN.match(text)
    explain = "" if prefix is None else "analyze" if prefix.group(1) else "plan"
    text, parameters = _numbered(text[prefix.end() :] if prefix else text)
    root = tree(text)
    _refuse_unsafe(root)
    return _query(to_ours(root), explain, parameters)


def split(text: str) -> list[str]:
    """The statements of ``text``, which ``;`` separates; a ``;`` in quotes or comments separates nothing."""
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import SqlglotError

    if len(text) > MOST_CHARACTERS:
        raise UserError(f"query: {len(text)} characters; at most {MOST_CHARACTERS} are read")
    try:
        ends = [token.start for token in DuckDB().tokenize(text) if token.token_type.name == "SEMICOLON"]
    except SqlglotError:
        raise UserError("query: a quote is not closed") from None
    parts = [text[begin:end] for begin, end in zip([0, *(at + 1 for at in ends)], [*ends, None], strict=True)]
    return [part.strip() for part in parts if part.strip()]


def _numbered(text: str) -> tuple[str, int]:
    """``text`` with each ``?`` as ``$p1``, ``$p2``, …, so that it keeps its value wherever the planner moves it."""
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import SqlglotError

    try:
        marks = [token.start for token in DuckDB().tokenize(text) if token.token_type.name == "PLACEHOLDER"]
    except SqlglotError:
        return text, 0  # refused when it is parsed
    pieces = [text[begin:end] for begin, end in zip([0, *(at + 1 for at in marks)], [*marks, None], strict=True)]
    return pieces[0] + "".join(f"$p{at}{piece}" for at, piece in enumerate(pieces[1:], 1)), len(marks)


def _knowledge_table(text: str) -> KnowledgeTable:
    """CREATE KNOWLEDGE TABLE, which no SQL parser knows."""
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import SqlglotError

    from scalecurve.query.sql.parse_knowledge import knowledge_table

    try:
        tokens = DuckDB().tokenize(text)
    except SqlglotError:
        raise UserError("query: a quote is not closed") from None
    return knowledge_table([(token.token_type.name, token.text) for token in tokens])


def tree(text: str) -> exp.Expr:
    """sqlglot's tree of one statement, USING options kept as ``ai_options`` of their SELECT."""
    from sqlglot import exp
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import SqlglotError
    from sqlglot.parsers.duckdb import DuckDBParser
    from sqlglot.tokenizer_core import TokenType

    class Parser(DuckDBParser):
        # sqlglot knows some AI_ functions of other systems; ours are all read alike.
        FUNCTIONS: ClassVar[dict[str, Any]] = {
            name: build for name, build in DuckDBParser.FUNCTIONS.items() if not name.startswith("AI_")
        }
        QUERY_MODIFIER_PARSERS: ClassVar[dict[Any, Any]] = {
            **DuckDBParser.QUERY_MODIFIER_PARSERS,
            TokenType.USING: lambda self: ("ai_options", self._ai_options()),
        }

        def _ai_options(self) -> Any:
            self._advance()
            return exp.Tuple(expressions=self._parse_csv(self._ai_option))

        def _ai_option(self) -> Any:
            name = self._curr.text
            self._advance()
            if self._curr.text.lower() in ("on", "off"):
                value: Any = exp.to_identifier(self._curr.text)
                self._advance()
            else:
                value = self._parse_unary()
            if name.lower() == "budget" and self._curr and self._curr.text.lower() == "tokens":
                self._advance()
            return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)

    try:
        tokens = DuckDB().tokenize(text)
        _limit(tokens)
        trees = Parser(dialect=DuckDB()).parse(tokens, text)
    except SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        where = f" at line {detail['line']}, column {detail['col']}" if detail.get("line") else ""
        raise UserError(f"query: {_short(detail.get('description') or str(error))}{where}") from None
    except (RecursionError, IndexError, AttributeError, ValueError, TypeError, KeyError):
        raise UserError("query: not understood; an expression is incomplete or nested too deeply") from None
    if len(trees) != 1 or trees[0] is None:
        raise UserError(f"query: write exactly one statement, not {sum(tree is not None for tree in trees)}")
    return trees[0]


def _limit(tokens: list[Token]) -> None:
    if len(tokens) > MOST_TOKENS:
        raise UserError(f"query: {len(tokens)} words; at most {MOST_TOKENS} are read")
    depth = 0
    for token in tokens:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth > MOST_NESTING:
            raise UserError(f"query: brackets nested deeper than {MOST_NESTING}")


def _refuse_unsafe(root: exp.Expr) -> None:
    """Only a SELECT over named tables passes: no statement with effects, no file, no function that reads one."""
    from sqlglot import exp

    if not isinstance(root, exp.Query):
        raise UserError(f"query: only SELECT and CREATE KNOWLEDGE TABLE are allowed, not {type(root).__name__.upper()}")
    effects = (exp.DDL, exp.DML, exp.Command, exp.Copy, exp.Attach, exp.Pragma, exp.Set, exp.Into, exp.Hint)
    for node in root.walk():
        if isinstance(node, effects) and not isinstance(node, exp.Query):
            raise UserError(f"query: {type(node).__name__.upper()} is not allowed inside a SELECT")
        if isinstance(node, exp.Func):
            name = function_name(node)
            if name.startswith(_OWN_NAMES):
                raise UserError(f"query: {_short(name)}: names that begin with {_OWN_NAMES} are the planner's own")
            if name in _FORBIDDEN_FUNCTIONS or name.startswith("read_") or name.endswith("_scan"):
                raise UserError(f"query: function {_short(name)} is not allowed")
        if isinstance(node, exp.Table):
            _refuse_table(node)


def _refuse_table(table: exp.Table) -> None:
    from sqlglot import exp

    source = table.this
    if table.name.startswith(_OWN_NAMES) or table.alias.startswith(_OWN_NAMES):
        raise UserError(f"query: {_short(table.name)}: names that begin with {_OWN_NAMES} are the planner's own")
    if isinstance(source, exp.Func) and function_name(source) not in _TABLE_FUNCTIONS:
        raise UserError(
            f"query: table function {_short(function_name(source))} is not allowed; attach the file instead"
        )
    if isinstance(source, exp.Identifier) and _TOLD_BY_SYSTEM.fullmatch(source.name):
        raise UserError(f"query: table {_short(source.name)} is not allowed; it tells of this machine")
    if isinstance(source, exp.Identifier) and not _NAME.fullmatch(source.name):
        raise UserError(f"query: {_short(source.name)!r} is no table name; attach the file and use its name")
    if table.alias.lower() == "option" and table.alias_column_names:
        raise UserError("query: OPTION(…) is no clause; write USING option value at the end")


def _query(root: exp.Expr, explain: str, parameters: int) -> Query:
    from sqlglot import exp

    options = _take_options(root)
    ctes = {cte.alias: _take_options(cte.this) for cte in root.find_all(exp.CTE)}
    if any(node.args.get("ai_options") for node in root.walk()):
        raise UserError("query: USING options belong at the end of the query or of a CTE")
    calls = [_call(node) for node in root.find_all(exp.Anonymous) if function_name(node).startswith("ai_")]
    for table in root.find_all(exp.Table):
        if isinstance(table.args.get("db"), exp.Func):
            _check_model_table(table.args["db"])
    try:
        sql = root.sql("duckdb", comments=False)
    except RecursionError:
        raise UserError("query: an expression is nested too deeply") from None
    ctes = {name: own for name, own in ctes.items() if own}
    return Query(sql, explain, options, ctes, tuple(calls), parameters)


def _take_options(query: exp.Expr) -> dict[str, Value]:
    """The USING options at the end of ``query`` (of a UNION: after its last SELECT), taken out of the tree."""
    from sqlglot import exp

    while isinstance(query, exp.SetOperation):
        query = query.expression
    clause = query.args.get("ai_options")
    query.set("ai_options", None)
    return options_of(clause.expressions) if clause else {}


def options_of(pairs: Iterable[exp.Expr]) -> dict[str, Value]:
    """Options as a query writes them (``name := value`` pairs of the tree), each checked."""
    found: dict[str, Value] = {}
    for pair in pairs:
        name = pair.name.lower()
        if name in found:
            raise UserError(f"query: option {_short(name)} is given twice")
        found[name] = _value(name, pair.expression)
    return found


def _value(name: str, node: exp.Expr | None) -> Value:
    text = node.sql("duckdb").lower() if node is not None else ""
    bare = node.name if node is not None and node.is_string else text
    if name in _SHARES and re.fullmatch(r"\d*\.?\d+", text) and 0 < float(text) < 1:
        return float(text)
    if name in ("budget", "seed") and re.fullmatch(r"\d{1,18}", text):
        return int(text)
    if name in _CHOICES and bare.strip('"') in _CHOICES[name]:
        return bare.strip('"') == "on" if name in ("gate", "pairs") else bare.strip('"')
    if name == "strategy" and re.fullmatch(r"direct|cot|auto|sc\([1-9]\d{0,2}\)", bare):
        return str(bare)
    if name == "model" and node is not None and (node.is_string or text == "ladder"):
        return str(bare)
    if name == "ability" and node is not None and node.is_string and bare:
        return str(bare)
    if name in _SHARES | _CHOICES.keys() | {"ability", "budget", "seed", "strategy", "model"}:
        raise UserError(f"query: option {name} cannot be {_short(text) or 'empty'}")
    raise UserError(f"query: there is no option {_short(name)}")


def _call(node: exp.Expr) -> AiCall:
    from sqlglot import exp

    name = function_name(node)
    if name not in AI_FUNCTIONS:
        raise UserError(f"query: there is no function {_short(name)}; there are {', '.join(sorted(AI_FUNCTIONS))}")
    named = [each for each in node.expressions if isinstance(each, exp.PropertyEQ)]
    plain = tuple(each.sql("duckdb") for each in node.expressions if not isinstance(each, exp.PropertyEQ))
    if not plain:
        raise UserError(f"query: {name} needs an argument")
    for each in node.expressions:
        if isinstance(each, exp.Distinct | exp.Order):
            raise UserError(f"query: {name} takes no {each.key.upper()}: write a SELECT DISTINCT or an order in a CTE "
                            "before; ai_agg sorts its texts itself")  # fmt: skip
    asides = ("labels",) if name == "ai_filter" else ()  # of a join, for the planner
    return AiCall(name, plain, options_of(each for each in named if each.name.lower() not in asides))


def _check_model_table(source: exp.Func) -> None:
    """``UserError`` where what stands before a table's dot is not ``model('rung')`` or ``model(ladder)``."""
    arguments = source.expressions
    if function_name(source) != "model" or len(arguments) != 1:
        raise UserError("query: write model('rung').table or model(ladder).table")
    if not arguments[0].is_string and arguments[0].name.lower() != "ladder":
        raise UserError("query: model(…) takes a rung's name in quotes, or ladder")


def _short(text: str) -> str:
    """``text`` on one line of at most 60 printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= 60 else line[:59] + "…"
