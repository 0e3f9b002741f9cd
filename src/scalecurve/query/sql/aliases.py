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
_MADE = "made"  # marks a call that is being made
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
_NAMED = {"ai_classify": ("output_mode",)}  # only by name
_FORMS = {
    "ai_similarity": (2, 2, "AI_SIMILARITY(a, b)"), "ai_sentiment": (1, 1, "AI_SENTIMENT(text)"),
    "ai_analyze_sentiment": (1, 1, "ai_analyze_sentiment(text)"), "ai_score_prompt": (1, 1, "AI.SCORE(prompt)"),
    "ai_summarize": (1, 2, "AI_SUMMARIZE(text [, words])"), "ai_summarize_agg": (1, 1, "AI_SUMMARIZE_AGG(text)"),
    "ai_generate": (1, 1, "AI.GENERATE(prompt)"), "ai_gen": (1, 1, "ai_gen(prompt)"),
    "ai_generate_bool": (1, 1, "AI.GENERATE_BOOL(prompt)"), "ai_generate_int": (1, 1, "AI.GENERATE_INT(prompt)"),
    "ai_generate_double": (1, 1, "AI.GENERATE_DOUBLE(prompt)"), "ai_query": (2, 2, "ai_query('model', prompt)"),
    "ai_complete": (1, 2, "AI_COMPLETE('model', prompt)"),
}  # fmt: skip
"""How many arguments a name takes that has no form of its own among ours, and how that is written."""
_CATEGORIES = "a category is 'a', ('a', 'what it means') or {'label': 'a', 'description': 'what it means'}"
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
        plain, named, options = _arguments(name, given)
        if not plain:
            raise UserError(f"query: {name} needs an argument")
        least, most, form = _FORMS.get(name, (1, len(plain), ""))
        if not least <= len(plain) <= most:
            raise UserError(f"query: write {form}")
        ours = _REWRITES[name](name, plain, named) if name in _REWRITES else None
        if ours is None and not isinstance(node, exp.Dot) and not any(isinstance(each, exp.Kwarg) for each in given):
            continue
        ours = _with_options(_call(name, *plain) if ours is None else ours, options)
        above = node.parent
        field = above.expression.name.lower() if isinstance(above, exp.Dot) and above.this is node else ""
        if field in ("status", "full_response") and name.startswith("ai_generate"):
            raise UserError(f"query: AI.GENERATE(…).{field}: only .result is read; ai_meta(call) tells the rest")
        target = above if field == "result" else node  # AI.GENERATE(…).result
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


def _arguments(name: str, given: Sequence[Node]) -> tuple[list[Node], Named, list[Node]]:
    """Arguments in order, those given by ``name =>`` in their places; the rest by name; and our options (``:=``)."""
    from sqlglot import exp

    named = {each.this.name.lower(): each.expression for each in given if isinstance(each, exp.Kwarg)}
    options = [each for each in given if isinstance(each, exp.PropertyEQ)]
    plain = [each for each in given if not isinstance(each, exp.Kwarg | exp.PropertyEQ)]
    places = _PARAMETERS.get(name, ())
    for place in places[len(plain) :]:
        if place not in named:
            break
        plain.append(named.pop(place))
    known = (*places, *_NAMED.get(name, ()))
    unknown = [each for each in named if each not in _SERVICE and each not in known]
    if unknown:
        raise UserError(f"query: {name} has no argument {unknown[0][:40]!r}")
    return plain, named, options


def _with_options(ours: Node, options: Sequence[Node]) -> Node:
    """``ours`` with the options of the call it stands for, in each call that was made of it."""
    for call in [node for node in ours.walk() if node.meta.pop(_MADE, None)]:
        for option in options:
            call.append("expressions", option.copy())
    return ours


# ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────
def _prompt(node: Node) -> tuple[str | None, list[Node]]:
    """A question with places ``{}``, and the texts that go there; None where the question is one expression.

    ``PROMPT('… {0} …', a)``, ``('…', a, '…')`` and ``STRUCT('…', a, '…')`` are read.
    """
    from sqlglot import exp

    positional = isinstance(node, exp.Struct) and not any(each.key == "propertyeq" for each in node.expressions)
    if isinstance(node, exp.Tuple) or positional:
        given = node.expressions
        parts = [("{}", [each]) if not each.is_string else (each.name.replace("{}", "{ }"), []) for each in given]
        return "".join(text for text, _ in parts), [each for _, some in parts for each in some]
    if not isinstance(node, exp.Func) or function_name(node) != "prompt":
        return None, [node]
    template, *values = _listed(node) or [exp.null()]
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

    made = exp.Anonymous(this=name.upper(), expressions=[node(each) for each in arguments])
    made.meta[_MADE] = True
    return made


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

    if not 2 <= len(plain) <= 3:
        return None
    listed, config = plain[1], _settings(plain[2:], named)
    given = [each for each in plain[2:] if not isinstance(each, exp.Struct)]
    parts = listed.expressions if isinstance(listed, exp.Array) else []
    described = any(isinstance(each, exp.Struct | exp.Tuple) for each in parts)
    if len(given) + 2 == len(plain) and not config and not described and _prompt(plain[0])[0] is None:
        return None
    if not isinstance(listed, exp.Array):
        raise UserError("query: AI_CLASSIFY: the labels must be a constant list, such as ['good', 'bad']")
    if given and not given[0].is_string:
        raise UserError("query: AI_CLASSIFY: what is asked must be a constant text here")
    pairs, text = [_label(each) for each in parts], _text(plain[0])
    asked = given[0].name if given else config.get("task_description", "")
    if config.get("output_mode") == "multi":
        return _several(text, pairs, asked)
    told = "; ".join(f"{label}: {said}" for label, said in pairs if said)
    instruction = ". ".join(each for each in (asked, told) if each)
    array = exp.Array(expressions=[exp.Literal.string(label) for label, _ in pairs])
    return _call("ai_classify", text, array, *([instruction] if instruction else []))


def _settings(given: Sequence[Node], named: Named) -> dict[str, str]:
    """``{'output_mode': 'multi', 'task_description': '…'}`` after the labels, or ``output_mode => 'multi'``."""
    from sqlglot import exp

    fields = _fields(given[0]) if given and isinstance(given[0], exp.Struct) else {}
    fields |= {key: value for key, value in named.items() if key == "output_mode"}
    for key, value in fields.items():
        if key not in ("output_mode", "task_description") or not value.is_string:
            raise UserError("query: AI_CLASSIFY: settings are task_description and output_mode, each a constant text")
    found = {key: str(value.name) for key, value in fields.items()}
    if found.get("output_mode", "single").lower() not in ("single", "multi"):
        raise UserError("query: AI_CLASSIFY: output_mode is 'single' or 'multi'")
    return {key: value.lower() if key == "output_mode" else value for key, value in found.items()}


def _several(text: Node, labels: list[tuple[str, str]], task: str) -> Node:
    """The list of the labels that fit, by one yes or no a label; NULL where an answer is missing."""
    from sqlglot import exp, parse_one

    names = [label for label, _ in labels]
    if not names or len(set(names)) < len(names) or not all(each.strip() and _PART not in each for each in names):
        raise UserError("query: AI_CLASSIFY: labels must be different texts, none of them empty")
    joined: Node = None
    for label, said in labels:
        told = f" ({said})" if said else ""
        question = f"{task}\n" * bool(task) + f"Does the label {label!r}{told} fit this text?"
        call = _call("ai_filter", question.replace("{}", "{ }"), text)
        ifs = [
            exp.If(this=exp.Boolean(this=fits), true=exp.Literal.string((label + _PART) * fits))
            for fits in (True, False)
        ]
        part = exp.Case(this=call, ifs=ifs)
        joined = part if joined is None else exp.DPipe(this=joined, expression=part)
    found = parse_one(f"list_filter(string_split(joined, '{_PART}'), lambda each: each <> '')", dialect="duckdb")
    next(node for node in found.find_all(exp.Column) if node.name == "joined").replace(joined)
    return found


def _label(node: Node) -> tuple[str, str]:
    """A category and what is said of it: 'a', ('a', 'what it means') or {'label': 'a', 'description': '…'}."""
    from sqlglot import exp

    if node.is_string:
        return node.name, ""
    if isinstance(node, exp.Tuple) and len(node.expressions) == 2 and all(each.is_string for each in node.expressions):
        return node.expressions[0].name, node.expressions[1].name
    found = _fields(node) if isinstance(node, exp.Struct) else {}
    if "label" in found and found.keys() <= {"label", "description"} and all(each.is_string for each in found.values()):
        return found["label"].name, found["description"].name if "description" in found else ""
    raise UserError(f"query: AI_CLASSIFY: {_CATEGORIES}")


def _fields(struct: Node) -> Named:
    return {each.this.name.lower(): each.expression for each in struct.expressions if each.key == "propertyeq"}


def _extract(name: str, plain: list[Node], named: Named) -> Node | None:
    """``{'field': 'question', …}``, ``[['field', 'question'], …]`` and ``['field', …]`` as a struct of answers."""
    from sqlglot import exp

    if len(plain) != 2 or not isinstance(plain[1], exp.Struct | exp.Array):
        return None
    asked = [_field(each) for each in plain[1].expressions]
    names = [field.lower() for field, _ in asked]
    if not names or len(set(names)) < len(names):
        raise UserError("query: AI_EXTRACT: name one field or more, each once, such as {'who': 'Who is it?'}")
    text = _text(plain[0])
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(field), expression=_call("ai_extract", text, "VARCHAR", question))
        for field, question in asked
    ]
    return exp.Struct(expressions=fields)


def _field(node: Node) -> tuple[str, Node | str]:
    """The name of a field, and the question for it."""
    from sqlglot import exp

    if node.key == "propertyeq" and not isinstance(node.expression, exp.Struct | exp.Array):
        return node.this.name, node.expression
    if node.is_string:
        return node.name, f"What is the {node.name} in this text?"
    if isinstance(node, exp.Array) and len(node.expressions) == 2 and node.expressions[0].is_string:
        return node.expressions[0].name, node.expressions[1]
    raise UserError(
        "query: AI_EXTRACT: write {'field': 'question'}, ['field'] or [['field', 'question']]; no schema is read"
    )


def _complete(name: str, plain: list[Node], named: Named) -> Node | None:
    """One argument is the prompt; of two the first is the model."""
    from sqlglot import exp

    if len(plain) == 1:
        prompted = _prompt(plain[0])[0] is not None
        return None if name == "ai_complete" and not prompted else _call("ai_complete", _text(plain[0]))
    model, prompt = plain
    if not model.is_string:
        raise UserError(f"query: {name}: the model must be a name in quotes")
    call = _call("ai_complete", _text(prompt))
    call.append("expressions", exp.PropertyEQ(this=exp.to_identifier("model"), expression=model.copy()))
    return call


def _generate(name: str, plain: list[Node], named: Named) -> Node | None:
    return _call("ai_ask", _text(plain[0]), _TYPED[name])


def _similarity(name: str, plain: list[Node], named: Named) -> Node | None:
    return _call("ai_score", SAME_MEANING, *plain)


def _sentiment(name: str, plain: list[Node], named: Named) -> Node | None:
    from sqlglot import exp

    labels = exp.Array(expressions=[exp.Literal.string(each) for each in SENTIMENTS])
    return _call("ai_classify", *plain, labels, "What is the sentiment of this text?")


def _score_prompt(name: str, plain: list[Node], named: Named) -> Node | None:
    return _call("ai_rate", *map(_text, plain), "", *SCALE)


def _summarize(name: str, plain: list[Node], named: Named) -> Node | None:
    if name != "ai_summarize":
        return _call("ai_agg", plain[0], "Summarize these texts.")
    words = plain[1].name if len(plain) > 1 else ""
    if words and (plain[1].key != "literal" or not words.isdigit()):
        raise UserError("query: AI_SUMMARIZE: the number of words must be a constant, such as 20")
    how = f"at most {words} words" if words.strip("0") else "one sentence"
    return _call("ai_extract", plain[0], "VARCHAR", f"Summarize this text in {how}.")


_REWRITES: dict[str, Callable[[str, list[Node], Named], Node | None]] = {
    "ai_filter": _filter, "ai_if": _filter, "ai_classify": _classify, "ai_extract": _extract,
    "ai_complete": _complete, "ai_generate": _complete, "ai_gen": _complete, "ai_query": _complete,
    "ai_generate_bool": _generate, "ai_generate_int": _generate, "ai_generate_double": _generate,
    "ai_similarity": _similarity, "ai_sentiment": _sentiment, "ai_analyze_sentiment": _sentiment,
    "ai_score_prompt": _score_prompt, "ai_summarize_agg": _summarize, "ai_summarize": _summarize,
}  # fmt: skip
