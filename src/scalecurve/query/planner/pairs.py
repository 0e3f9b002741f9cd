"""``ai_filter('Have {} and {} the same sentiment?', a.x, b.y)`` → the label of each side, compared.

That takes a call a text in place of a call a pair. What is no question about a label of each side stays as it is, and
is told apart by its ``BECAUSE``.
"""

from __future__ import annotations

import re

from sqlglot import exp

from scalecurve.errors import UserError
from scalecurve.query.sql.ast import Node, function_name, is_call

BECAUSE = "because"  # why a call is asked as it is
LABELS = {"sentiment": ("positive", "negative"), "polarity": ("positive", "negative")}
"""Labels that are known without being told."""
_ABOUT = re.compile(r"\b(same|opposite|opposing|different)\s+([a-z]+)", re.I)


def label_both_sides(root: Node) -> Node:
    """``root`` with every condition on the labels of two tables' texts as a comparison of labels; a new tree.

    >>> from sqlglot import parse_one
    >>> text = "SELECT * FROM a JOIN b ON ai_filter('Have {} and {} the same sentiment?', a.x, b.y)"
    >>> print(label_both_sides(parse_one(text, dialect="duckdb")).args["joins"][0].args["on"].sql("duckdb")[:84])
    (AI_CLASSIFY(a.x, ['positive', 'negative'], 'What is the sentiment of this text?') =
    """
    root = root.copy()
    for call in [node for node in root.find_all(exp.Anonymous) if is_call(node) and function_name(node) == "ai_filter"]:
        plain = [each for each in call.expressions if not isinstance(each, exp.PropertyEQ)]
        labels, given = _labels_given(call)
        if len(plain) != 3 or not plain[0].is_string or not _of_two_tables(plain[1], plain[2]):
            if given:
                raise UserError("query: labels := […] belongs to ai_filter with two texts of two tables")
            continue
        about = _ABOUT.search(plain[0].name)
        word = about.group(2).lower() if about else ""
        labels = labels or LABELS.get(word, ())
        if about is None or not labels or (about.group(1).lower().startswith("oppos") and len(labels) > 2):
            if given:
                raise UserError("query: labels := […] needs a question such as 'Have {} and {} the same topic?'")
            call.meta[BECAUSE] = "every pair: the question is not about a label of each side"
            continue
        options = [each for each in call.expressions if isinstance(each, exp.PropertyEQ)]
        sides = [_label(side, word, labels, options) for side in plain[1:]]
        kind = exp.EQ if about.group(1).lower() == "same" else exp.NEQ
        call.replace(exp.paren(kind(this=sides[0], expression=sides[1]), copy=False))
    return root


def _labels_given(call: Node) -> tuple[tuple[str, ...], bool]:
    """The labels that a call names itself, taken out of it."""
    for each in call.expressions:
        if isinstance(each, exp.PropertyEQ) and each.name.lower() == "labels":
            listed = each.expression
            if not isinstance(listed, exp.Array) or not all(label.is_string for label in listed.expressions):
                raise UserError("query: labels must be a list of texts, such as ['good', 'bad']")
            each.pop()
            return tuple(label.name for label in listed.expressions), True
    return (), False


def _of_two_tables(one: Node, other: Node) -> bool:
    """Whether each text is made of the columns of one table, and not the same."""
    tables = [{column.table.lower() for column in side.find_all(exp.Column)} for side in (one, other)]
    return all(len(names) == 1 and "" not in names for names in tables) and tables[0] != tables[1]


def _label(text: Node, word: str, labels: tuple[str, ...], options: list[Node]) -> Node:
    listed = exp.Array(expressions=[exp.Literal.string(label) for label in labels])
    question = exp.Literal.string(f"What is the {word} of this text?")
    call = exp.Anonymous(
        this="ai_classify", expressions=[text.copy(), listed, question, *(each.copy() for each in options)]
    )
    call.meta[BECAUSE] = "a label of each side, compared: a call a text in place of a call a pair"
    return call
