"""How it is asked: rendering, shots, and strategies."""

from scalecurve.strategies.prompt import Prompt, ask_as
from scalecurve.strategies.protocol import (
    Asking,
    Question,
    Strategy,
    check_settings,
    determining,
    get_strategy,
    strategy,
    strategy_names,
)
from scalecurve.strategies.render import build_prompt, element
from scalecurve.strategies.resolve import Way, find_way
from scalecurve.strategies.shots import FewShotExample, Shot, draw

__all__ = [
    "Asking",
    "FewShotExample",
    "Prompt",
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
