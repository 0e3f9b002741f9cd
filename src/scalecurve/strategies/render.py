"""From an example to the text a model reads (BIG-bench's composition).

    element = input prefix + input + options shown + output prefix
    prompt  = task prefix + shot₁ + separator + … + shotₖ + separator + element of the question
    shot    = element + target

Nothing is stripped anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from scalecurve.strategies.shots import Shot
from scalecurve.types import Example, Task


def element(task: Task, example: Example) -> str:
    """The question as it stands in a prompt, up to where the answer begins."""
    form = task.rendering
    shown = ""
    if example.options and form.append_choices:
        ordered = sorted(example.options)
        shown = "".join(form.choice_prefix + ordered[at].rstrip("\0") for at in shown_order(len(ordered)))
    return form.input_prefix + example.input + shown + form.output_prefix


def build_prompt(task: Task, example: Example, shots: Sequence[Shot] = ()) -> str:
    """The whole prompt: task prefix, answered shots, and the question."""
    answered = (element(task, shot.example) + shot.target for shot in shots)
    return task.rendering.task_prefix + task.rendering.separator.join([*answered, element(task, example)])


@lru_cache(maxsize=256)
def shown_order(count: int) -> tuple[int, ...]:
    """The order in which ``count`` options, sorted by code point, are shown: one permutation a count, for all examples.

    The reference seeds a generator of its own, ``RandomState(42)``, for every example. (It also keeps options in a
    NumPy array of texts, which drops NUL characters at their ends; so does ``element``.)
    """
    import numpy as np

    return tuple(int(at) for at in np.random.RandomState(42).permutation(count))
