"""What sequences share, as a tree of stretches, for models that run one once and copy its state to what follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Ids = tuple[int, ...]

MIN_SAVED = 32  # tokens that a shared stretch must save: less is not worth a forward pass of its own
STEP_ROWS_WORTH = 16
"""A forward pass over single tokens costs about as much as this many more rows in it: weights are read, Python runs."""
MOST_LEVELS = 6  # states held at once, one in the other
LAYER_WORTH = 100_000_000  # multiplications in the time that a layer takes for a pass, whatever is in it
MOST_WORTH = 64  # tokens, in the smallest of models


@dataclass(slots=True)
class Node:
    """``tokens`` after what is above; then its ``children``, or else the end of the sequence ``number``."""

    tokens: Ids
    number: int = -1
    children: list[Node] = field(default_factory=list)


def tree(
    rows: Sequence[Ids], limits: Sequence[int], min_saved: int = MIN_SAVED, *, stepped: bool = False
) -> list[Node]:
    """What the sequences share, as nodes; of each, at most its first ``limits`` tokens are shared with others.

    ``stepped``: what follows a state will be fed token by token. Then all that follows one goes on together, and only
    a stretch of many has a state of its own: a few rows at a time would take as many passes as all together.
    """

    def nodes(numbers: list[int], since: int, levels: int) -> list[Node]:
        """Nodes for the rows ``numbers``, which agree up to ``since``; the nodes above hold what comes before."""
        under = partial(nodes, levels=levels - 1)
        return _nodes(rows, limits, numbers, since, min_saved if levels else 1 << 62, under, stepped and since > 0)

    return nodes(sorted(range(len(rows)), key=rows.__getitem__), 0, levels=MOST_LEVELS)


def _nodes(
    rows: Sequence[Ids],
    limits: Sequence[int],
    numbers: list[int],
    since: int,
    min_saved: int,
    under: Callable[[list[int], int], list[Node]],
    stepped: bool,
) -> list[Node]:
    found: list[Node] = []
    todo = [(numbers, since)]
    while todo:
        numbers, at = todo.pop()
        groups: dict[int, list[int]] = defaultdict(list)
        for number in numbers:
            if limits[number] <= at:
                found.append(Node(rows[number][since:], number))
            else:
                groups[rows[number][at]].append(number)
        for group in groups.values():
            if len(group) == 1:
                found.append(Node(rows[group[0]][since:], group[0]))
                continue
            stop = _agree(rows, limits, group, at)
            saved = (stop - since) * (len(group) - 1)
            longest = max(len(rows[number]) for number in group) - since if stepped else 0
            if stop - since > 1 and saved >= max(min_saved, STEP_ROWS_WORTH * longest):
                found.append(Node(rows[group[0]][since:stop], children=under(group, stop)))
            else:
                todo.append((group, stop))
    return found


def _agree(rows: Sequence[Ids], limits: Sequence[int], group: list[int], at: int) -> int:
    """How far the rows of a group (sorted) agree, within the limits of all."""
    first, last = rows[group[0]], rows[group[-1]]
    stop = min(limits[number] for number in group)
    while at < stop and first[at] == last[at]:
        at += 1
    return at


def fed(nodes: Sequence[Node]) -> int:
    """Tokens that go through the layers."""
    return sum(len(node.tokens) + fed(node.children) for node in nodes)


# ── Fewer passes ─────────────────────────────────────────────────────────────────────────────────────────────
def worth(model: PreTrainedModel) -> int:
    """How many tokens cost about as much as a forward pass does whatever is in it: the fewer, the larger the model."""
    ends = [one for one in (model.get_input_embeddings(), model.get_output_embeddings()) if one is not None]
    outer = {id(weight) for one in ends for weight in one.parameters()}
    weights = sum(weight.numel() for weight in model.parameters() if id(weight) not in outer)
    return int(min(MOST_WORTH, LAYER_WORTH * model.config.get_text_config().num_hidden_layers // max(1, weights)))


def align(nodes: Sequence[Node], worth: int) -> None:
    """Cut shared stretches to common lengths, in place, where passes are saved by more than tokens cost.

    Only states of one length are made together, and gone on from together. What is cut off goes before each child.
    ``worth``: tokens that cost as much as a pass.
    """
    inner = [node for node in nodes if node.children]
    saved: dict[int, int] = defaultdict(int)
    for node in inner:
        saved[len(node.tokens)] += _ends(node) - 1
    groups: dict[int, list[Node]] = defaultdict(list)
    cuts = _cuts(sorted(saved.items()), 2 * worth)
    for node in inner:
        groups[max(cut for cut in cuts if cut <= len(node.tokens))].append(node)
    for cut, group in groups.items():
        for node in group:
            for child in node.children:
                child.tokens = node.tokens[cut:] + child.tokens
            node.tokens = node.tokens[:cut]
        align([child for node in group for child in node.children], worth)


def _ends(node: Node) -> int:
    """Sequences that end under a node."""
    return sum(map(_ends, node.children)) if node.children else 1


def _cuts(saved: Sequence[tuple[int, int]], cost: int) -> list[int]:
    """Lengths to cut stretches to, least first: of the least sum of tokens computed again and ``cost`` a length.

    ``saved``: (length, tokens that one token of a stretch saves) of all stretches of a length, least length first.
    """
    weights = [0, *accumulate(weight for _, weight in saved)]
    tokens = [0, *accumulate(length * weight for length, weight in saved)]
    best: list[tuple[int, list[int]]] = [(0, [])]
    for end in range(1, len(saved) + 1):
        best.append(
            min(
                (
                    best[at][0] + cost + tokens[end] - tokens[at] - length * (weights[end] - weights[at]),
                    [*best[at][1], length],
                )
                for at, (length, _) in enumerate(saved[:end])
            )
        )
    return best[-1][1]
