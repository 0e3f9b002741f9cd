"""``CREATE KNOWLEDGE TABLE``, read from tokens."""

from __future__ import annotations

from collections.abc import Sequence

from scalecurve.errors import UserError
from scalecurve.query.answers.values import YES_NO, enumeration, kind_of, read_value
from scalecurve.query.sql.statement import Column, KnowledgeTable

TYPES = ("VARCHAR", "TEXT", "INT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT", "BOOLEAN", "DATE", "JSON", "ENUM")
_FORM = (
    "write CREATE KNOWLEDGE TABLE name (column TYPE KEY, column TYPE 'question with {column}', …) "
    "[EXAMPLES ('key', 'value', …), …] [USING ability 'task']"
)

Tokens = list[tuple[str, str]]  # (kind, text); a text in quotes has the kind STRING


def knowledge_table(tokens: Sequence[tuple[str, str]]) -> KnowledgeTable:
    """The statement; ``UserError`` of one line where it is none."""
    left = [token for token in tokens if token[0] != "SEMICOLON"]
    if [text.lower() for _, text in left[:3]] != ["create", "knowledge", "table"] or len(left) < 5:
        raise UserError(f"query: {_FORM}")
    name = left[3][1]
    if not name.isidentifier() or left[4][1] != "(":
        raise UserError(f"query: {_FORM}")
    depth, end = 0, 0
    for at, (kind, text) in enumerate(left[4:], 4):
        depth += (text == "(" and kind != "STRING") - (text == ")" and kind != "STRING")
        if depth == 0:
            end = at
            break
    if not end:
        raise UserError(f"query: {_FORM}")
    columns = tuple(_column(part) for part in _split(left[5:end]))
    _check(name, columns)
    rest = left[end + 1 :]
    using = next(
        (at for at, token in enumerate(rest) if token[0] != "STRING" and token[1].lower() == "using"), len(rest)
    )
    return KnowledgeTable(name, columns, _ability(rest[using:]), _examples(name, columns, rest[:using]))


def _split(tokens: Tokens) -> list[Tokens]:
    """The parts between the commas that are in no brackets."""
    parts: list[Tokens] = [[]]
    depth = 0
    for kind, text in tokens:
        quoted = kind == "STRING"
        depth += (text == "(" and not quoted) - (text == ")" and not quoted)
        if text == "," and not quoted and not depth:
            parts.append([])
        else:
            parts[-1].append((kind, text))
    return parts


def _column(tokens: Tokens) -> Column:
    """name TYPE [KEY] ['question'], or name ENUM('a', 'b') …"""
    said = " ".join(text for _, text in tokens)
    wrong = UserError(f"query: {_short(said)!r} is no column; write name TYPE [KEY] with one of {', '.join(TYPES)}")
    if len(tokens) < 2 or not tokens[0][1].isidentifier() or tokens[1][1].upper() not in TYPES:
        raise wrong
    name, kind, rest = tokens[0][1], tokens[1][1].upper(), tokens[2:]
    options: tuple[str, ...] = ()
    if kind == "ENUM":
        end = next((at for at, (_, text) in enumerate(rest) if text == ")"), 0)
        listed = rest[1:end]
        if not end or any(token[0] != "STRING" for token in listed[::2]) or any(t[1] != "," for t in listed[1::2]):
            raise UserError(f"query: {_short(said)!r}: write ENUM('one', 'other') with the values in quotes")
        options, rest = tuple(dict.fromkeys(text for _, text in listed[::2])), rest[end + 1 :]
        if len(options) < 2:
            raise UserError(f"query: {_short(said)!r}: an ENUM needs two values or more")
    key = bool(rest) and rest[0][0] != "STRING" and rest[0][1].lower() == "key"
    rest = rest[key:]
    if len(rest) > 1 or (rest and rest[0][0] != "STRING"):
        raise wrong
    return Column(name, kind, key, rest[0][1] if rest else "", options)


def _check(name: str, columns: tuple[Column, ...]) -> None:
    keys = [column for column in columns if column.key]
    if len(keys) != 1:
        raise UserError(f"query: knowledge table {name} needs exactly one KEY column")
    if len({column.name.lower() for column in columns}) < len(columns):
        raise UserError(f"query: knowledge table {name} names a column twice")
    if len(columns) < 2:
        raise UserError(f"query: knowledge table {name} needs a column beside its key")
    hole = f"{{{keys[0].name}}}"
    for column in columns:
        if column.question and not column.key and hole not in column.question:
            raise UserError(f"query: {name}.{column.name}: its question must contain {hole}, where the key goes")


def _ability(tokens: Tokens) -> str:
    if not tokens:
        return ""
    if len(tokens) != 3 or [text.lower() for _, text in tokens[:2]] != ["using", "ability"] or tokens[2][0] != "STRING":
        raise UserError("query: after a knowledge table's columns write nothing, or USING ability 'task'")
    return tokens[2][1]


def _examples(name: str, columns: tuple[Column, ...], tokens: Tokens) -> tuple[tuple[str | None, ...], ...]:
    """``EXAMPLES ('Spain', 'Madrid'), …``: a value for every column, NULL where an example says nothing of one."""
    if not tokens:
        return ()
    if tokens[0][0] == "STRING" or tokens[0][1].lower() != "examples":
        raise UserError(f"query: {_FORM}")
    rows = []
    for part in _split(tokens[1:]):
        if len(part) < 2 or (part[0][1], part[-1][1]) != ("(", ")"):
            raise UserError(f"query: knowledge table {name}: write EXAMPLES ('key', 'value', …), …")
        values = _split(part[1:-1])
        if len(values) != len(columns):
            raise UserError(
                f"query: knowledge table {name}: an example has {len(values)} value{'s' * (len(values) != 1)} "
                f"for {len(columns)} columns"
            )
        rows.append(tuple(_value(name, column, value) for column, value in zip(columns, values, strict=True)))
    return tuple(rows)


def _value(name: str, column: Column, tokens: Tokens) -> str | None:
    """An example's value as the text that a model would have to answer."""
    said = "".join(text for _, text in tokens)
    if tokens and tokens[0][0] != "STRING" and said.lower() == "null":
        if column.key:
            raise UserError(f"query: knowledge table {name}: an example's {column.name} is its key and cannot be NULL")
        return None
    kind = enumeration(column.options) if column.type == "ENUM" else kind_of(column.type)
    text = {"true": YES_NO[0], "false": YES_NO[1]}.get(said.lower(), said) if column.type == "BOOLEAN" else said
    if not tokens or read_value(text, kind) is None:
        raise UserError(f"query: knowledge table {name}: {_short(said)!r} is no {column.type} for {column.name}")
    return text


def _short(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 60 else line[:59] + "…"
