"""How it is asked: rendering, shots, and strategies."""

from scalecurve.prompts.render import build_prompt, element
from scalecurve.prompts.shots import Query, Shot, draw
from scalecurve.prompts.strategy import (
    Asking,
    Question,
    Strategy,
    check_settings,
    determining,
    get_strategy,
    strategy,
    strategy_names,
)

__all__ = [
    "Asking",
    "Query",
    "Question",
    "Shot",
    "Strategy",
    "build_prompt",
    "check_settings",
    "determining",
    "draw",
    "element",
    "get_strategy",
    "strategy",
    "strategy_names",
]
