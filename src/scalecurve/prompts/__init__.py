"""How it is asked: rendering, shots, and strategies."""

from scalecurve.prompts.prompt import Prompt, ask_as
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
from scalecurve.prompts.ways import Way, find_way

__all__ = [
    "Asking",
    "Prompt",
    "Query",
    "Question",
    "Shot",
    "Strategy",
    "Way",
    "ask_as",
    "build_prompt",
    "check_settings",
    "determining",
    "draw",
    "element",
    "find_way",
    "get_strategy",
    "strategy",
    "strategy_names",
]
