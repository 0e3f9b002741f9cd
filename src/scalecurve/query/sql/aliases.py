"""Calls as other systems write them → ours. Nothing is looked up, so that it can be done before anything is checked.

Snowflake's ``AI_FILTER(PROMPT('… {0} …', a))``, BigQuery's ``AI.IF(('…', a))``, Databricks' ``ai_gen`` and their kin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from scalecurve.errors import UserError

Node: TypeAlias = Any
Named = dict[str, Node]

SENTIMENTS = ("positive", "negative", "neutral", "mixed")
SAME_MEANING = "Do these two texts mean the same?"
SCALE = (1, 10)  # of AI.SCORE, whose prompt holds the rubric
_PART = "\x1f"  # between labels while they are joined
_PLACE = re.compile(r"\{(\d+)\}")
_NAMES = {
    "ai.if": "ai_if", "ai.filter": "ai_filter", "ai.classify": "ai_classify", "ai.extract": "ai_extract",
    "ai.complete": "ai_complete", "ai.generate": "ai_generate", "ai.generate_text": "ai_generate", "ai.agg": "ai_agg",
    "ai.generate_bool": "ai_generate_bool", "ai.generate_int": "ai_generate_int", "ai.score": "ai_score_prompt",
    "ai.generate_double": "ai_generate_double", "ai.similarity": "ai_similarity", "ai.sentiment": "ai_sentiment",
    "ai.rate": "ai_rate", "ai.ask": "ai_ask", "ai.meta": "ai_meta", "ai.summarize_agg": "ai_summarize_agg",
    "ai.summarize": "ai_summarize",
}  # fmt: skip
_PARAMETERS = {
    "ai_filter": ("predicate",), "ai_if": ("prompt",), "ai_classify": ("input", "categories", "config"),
    "ai_extract": ("text", "responseformat"), "ai_complete": ("model", "prompt"), "ai_generate": ("prompt",),
    "ai_similarity": ("content1", "content2"), "ai_score_prompt": ("prompt",), "ai_gen": ("prompt",),
    "ai_generate_bool": ("prompt",), "ai_generate_int": ("prompt",), "ai_generate_double": ("prompt",),
    "ai_agg": ("expr", "instruction"), "ai_sentiment": ("text",), "ai_query": ("endpoint", "request"),
}  # fmt: skip
_SERVICE = frozenset("connection_id endpoint model_params request_type max_error_ratio".split())  # of their services
_TYPED = {"ai_generate_bool": "BOOLEAN", "ai_generate_int": "BIGINT", "ai_generate_double": "DOUBLE"}


def to_ours(root: Node) -> Node:
    """``root`` with every call that has another name, or other arguments, as one of ours; a new tree.

    >>> from sqlglot import parse_one
    >>> to_ours(parse_one("SELECT AI_FILTER(PROMPT('Is {0} a film?', x)) AS f FROM t")).sql("duckdb")
    "SELECT AI_FILTER('Is {} a film?', x) AS f FROM t"
    >>> to_ours(parse_one("SELECT AI_SIMILARITY(a, b) AS s FROM t", dialect="snowflake")).sql("duckdb")
    "SELECT AI_SCORE('Do these two texts mean the same?', a, b) AS s FROM t"
    """
    from sqlglot import exp

    root = exp.Subquery(this=root.copy())  # so that the root itself can be replaced
    for node in reversed(list(root.find_all(exp.Func, exp.Dot))):
        name = _name(node)
        if not name.startswith("ai_"):
            continue
        call = node.expression if isinstance(node, exp.Dot) else node
        given = _listed(call)
        plain, named = _arguments(name, given)
        if not plain:
            raise UserError(f"query: {name} needs an argument")
        ours = _REWRITES[name](name, plain, named) if name in _REWRITES else None
        if ours is None and not isinstance(node, exp.Dot) and not any(isinstance(each, exp.Kwarg) for each in given):
            continue
        ours = _call(name, *plain) if ours is None else ours
        above = node.parent
        result = isinstance(above, exp.Dot) and above.this is node and above.expression.name.lower() == "result"
        target = above if result else node  # AI.GENERATE(…).result
        if isinstance(target.parent, exp.Select) and target.arg_key == "expressions":
            written = target.sql("duckdb", normalize_functions=False)
            ours = exp.alias_(ours, written, quoted=True, copy=False)
        target.replace(ours)
    found: Node = root.this
    found.pop()
    return found


def _name(node: Node) -> str:
    """The name under which a call is rewritten; "" for what is none."""
    from sqlglot import exp

    if isinstance(node, exp.Dot):
        if not isinstance(node.this, exp.Identifier) or not isinstance(node.expression, exp.Func):
            return ""
        dotted = f"{node.this.name}.{function_name(node.expression)}".lower()
        return _NAMES.get(dotted, "")
    if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
        return ""  # the second half of a dotted one
    return function_name(node)


def function_name(node: Node) -> str:
    """The name of a function as the query writes it, in lower case; "" for what is no function."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return str(node.sql_name()).lower() if isinstance(node, exp.Func) else ""


def _listed(call: Node) -> list[Node]:
    """The arguments of a call in order, whether sqlglot has a class for it or not."""
    if call.key == "anonymous":
        return list(call.expressions)
    return [each for value in call.args.values() for each in (value if isinstance(value, list) else [value])
            if hasattr(each, "sql")]  # fmt: skip


def _arguments(name: str, given: Sequence[Node]) -> tuple[list[Node], Named]:
    """Arguments in order, those given by ``name =>`` in their places, and the rest by name; ours keep ``:=``."""
    from sqlglot import exp

    named = {each.this.name.lower(): each.expression for each in given if isinstance(each, exp.Kwarg)}
    plain = [each for each in given if not isinstance(each, exp.Kwarg)]
    places = _PARAMETERS.get(name, ())
    for place in places[len(plain) :]:
        if place not in named:
            break
        plain.append(named.pop(place))
    unknown = [each for each in named if each not in _SERVICE and each not in places]
    if unknown:
        raise UserError(f"query: {name} has no argument {unknown[0][:40]!r}")
    return plain, named


# ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────
def _prompt(node: Node) -> tuple[str | None, list[Node]]:
    """A question with places ``{}``, and the texts that go there; None where the question is one expression.

    ``PROMPT('… {0} …', a)`` and ``('…', a, '…')`` are read.
    """
    from sqlglot import exp

    if isinstance(node, exp.Tuple):
        parts = [("{}", [each]) if not each.is_string else (each.name.replace("{}", "{ }"), []) for each in node]
        return "".join(text for text, _ in parts), [each for _, some in parts for each in some]
    if not isinstance(node, exp.Func) or function_name(node) != "prompt":
        return None, [node]
    template, *values = _listed(node)
    if not template.is_string:
        raise UserError("query: PROMPT needs a template in quotes, such as PROMPT('Is {0} a film?', title)")
    used = [int(found) for found in _PLACE.findall(template.name)]
    if any(at >= len(values) for at in used):
        raise UserError(f"query: PROMPT: place {{{max(used)}}} has no value; {len(values)} are given")
    return _PLACE.sub("{}", template.name), [values[at].copy() for at in used]


def _text(node: Node) -> Node:
    """A prompt as one text."""
    from sqlglot import exp

    question, values = _prompt(node)
    if question is None:
        return values[0].copy()
    pieces: list[Node] = []
    for at, piece in enumerate(question.split("{}")):
        pieces += [exp.Literal.string(piece)] if piece else []
        pieces += [exp.cast(exp.paren(values[at].copy()), "VARCHAR")] if at < len(values) else []
    joined: Node = pieces[0] if pieces else exp.Literal.string("")
    for piece in pieces[1:]:
        joined = exp.DPipe(this=joined, expression=piece)
    return exp.paren(joined, copy=False)


def _call(name: str, *arguments: Node | str | int) -> Node:
    from sqlglot import exp

    def node(value: Node | str | int) -> Node:
        if isinstance(value, str):
            return exp.Literal.string(value)
        return exp.Literal.number(value) if isinstance(value, int) else value.copy()

    return exp.Anonymous(this=name.upper(), expressions=[node(each) for each in arguments])


# ── Rewrites: None leaves a call as it is ────────────────────────────────────────────────────────────────────
def _filter(name: str, plain: list[Node], named: Named) -> Node | None:
    if not plain:
        return None
    question, values = _prompt(plain[0])
    if question is None:
        return None if name == "ai_filter" else _call("ai_filter", *plain)
    return _call("ai_filter", question, *values, *plain[1:])


def _classify(name: str, plain: list[Node], named: Named) -> Node | None:
    """Labels with descriptions, and several labels for one text (``output_mode: 'multi'``)."""
    from sqlglot import exp

    if len(plain) < 2 or not isinstance(plain[1], exp.Array):
        return None
    config = _fields(plain[2]) if len(plain) > 2 and isinstance(plain[2], exp.Struct) else {}
    mode = named.get("output_mode") or config.get("output_mode")
    task = config.get("task_description")
    labels = [_label(each) for each in plain[1].expressions]
    if any(label is None for label in labels):
        return None
    pairs = [label for label in labels if label is not None]
    as_ours = len(plain) == 2 and mode is None and all(each.is_string for each in plain[1].expressions)
    if as_ours and _prompt(plain[0])[0] is None:
        return None
    text = _text(plain[0])
    if mode is not None and mode.name.lower() == "multi":
        return _several(text, pairs, task.name if task is not None else "")
    told = "; ".join(f"{label}: {said}" for label, said in pairs if said)
    instruction = ". ".join(each for each in (task.name if task is not None else "", told) if each)
    if len(plain) > 2 and not config:
        return None
    array = exp.Array(expressions=[exp.Literal.string(label) for label, _ in pairs])
    return _call("ai_classify", text, array, *([instruction] if instruction else []))


def _several(text: Node, labels: list[tuple[str, str]], task: str) -> Node:
    """The list of the labels that fit, by one yes or no a label; NULL where an answer is missing."""
    from sqlglot import parse_one

    parts = []
    for label, said in labels:
        told = f" ({said})" if said else ""
        question = f"{task}\n" * bool(task) + f"Does the label {label!r}{told} fit this text?"
        call = _call("ai_filter", question.replace("{}", "{ }"), text).sql("duckdb")
        quoted = (label + _PART).replace("'", "''")
        parts.append(f"CASE {call} WHEN TRUE THEN '{quoted}' WHEN FALSE THEN '' END")
    joined = " || ".join(parts)
    return parse_one(f"list_filter(string_split({joined}, '{_PART}'), lambda each: each <> '')", dialect="duckdb")


def _label(node: Node) -> tuple[str, str] | None:
    """A category and what is said of it: 'a', ('a', 'what it means') or {'label': 'a', 'description': '…'}."""
    from sqlglot import exp

    if node.is_string:
        return node.name, ""
    if isinstance(node, exp.Tuple) and len(node.expressions) == 2 and all(each.is_string for each in node.expressions):
        return node.expressions[0].name, node.expressions[1].name
    if isinstance(node, exp.Struct):
        found = _fields(node)
        if "label" in found:
            return found["label"].name, found["description"].name if "description" in found else ""
    return None


def _fields(struct: Node) -> Named:
    return {each.this.name.lower(): each.expression for each in struct.expressions if each.key == "propertyeq"}


def _extract(name: str, plain: list[Node], named: Named) -> Node | None:
    """``{'field': 'question', …}`` and ``['field', …]`` as a struct of answers."""
    from sqlglot import exp

    if len(plain) != 2 or not isinstance(plain[1], exp.Struct | exp.Array):
        return None
    if isinstance(plain[1], exp.Struct):
        asked = [(each.this.name, each.expression) for each in plain[1].expressions if each.key == "propertyeq"]
    else:
        asked = [(each.name, exp.Literal.string(f"What is the {each.name} in this text?"))
                 for each in plain[1].expressions if each.is_string]  # fmt: skip
    if not asked or len(asked) != len(plain[1].expressions):
        return None
    text = _text(plain[0])
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(field), expression=_call("ai_extract", text, "VARCHAR", question))
        for field, question in asked
    ]
    return exp.Struct(expressions=fields)


def _complete(name: str, plain: list[Node], named: Named) -> Node | None:
    """One argument is the prompt; of two the first is the model."""
    from sqlglot import exp

    if name == "ai_complete" and len(plain) == 2 and isinstance(plain[1], exp.PropertyEQ):
        return None
    if len(plain) != 2:
        prompted = bool(plain) and _prompt(plain[0])[0] is not None
        return None if name == "ai_complete" and not prompted else _call("ai_complete", *map(_text, plain))
    model, prompt = plain
    if not model.is_string:
        raise UserError(f"query: {name}: the model must be a name in quotes")
    call = _call("ai_complete", _text(prompt))
    call.append("expressions", exp.PropertyEQ(this=exp.to_identifier("model"), expression=model.copy()))
    return call


def _generate(name: str, plain: list[Node], named: Named) -> Node | None:
    return _call("ai_ask", _text(plain[0]), _TYPED[name]) if len(plain) == 1 else None


def _similarity(name: str, plain: list[Node], named: Named) -> Node | None:
    return _call("ai_score", SAME_MEANING, *plain)


def _sentiment(name: str, plain: list[Node], named: Named) -> Node | None:
    from sqlglot import exp

    labels = exp.Array(expressions=[exp.Literal.string(each) for each in SENTIMENTS])
    return _call("ai_classify", *plain, labels, "What is the sentiment of this text?")


def _score_prompt(name: str, plain: list[Node], named: Named) -> Node | None:
    return _call("ai_rate", *map(_text, plain), "", *SCALE)


def _summarize(name: str, plain: list[Node], named: Named) -> Node | None:
    if name == "ai_summarize":
        return _call("ai_extract", *plain, "VARCHAR", "Summarize this text in one sentence.")
    return _call("ai_agg", *plain, "Summarize these texts.")


_REWRITES: dict[str, Callable[[str, list[Node], Named], Node | None]] = {
    "ai_filter": _filter, "ai_if": _filter, "ai_classify": _classify, "ai_extract": _extract,
    "ai_complete": _complete, "ai_generate": _complete, "ai_gen": _complete, "ai_query": _complete,
    "ai_generate_bool": _generate, "ai_generate_int": _generate, "ai_generate_double": _generate,
    "ai_similarity": _similarity, "ai_sentiment": _sentiment, "ai_analyze_sentiment": _sentiment,
    "ai_score_prompt": _score_prompt, "ai_summarize_agg": _summarize, "ai_summarize": _summarize,
}  # fmt: skip
