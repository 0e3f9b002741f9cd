"""Why a verdict is what it is: a code with its arguments, and the sentence for it in every language.

What is said of any curve of which it is true is a remark: a function in a module of ``remarks`` (``remark``). A reason
travels as ``(code, arguments)``; in verdicts.parquet as a JSON array. Runs made before that hold sentences in
English, which are shown as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from scalecurve.types import Curve, Shape, Verdict
from scalecurve.util.registry import only_one

LANGUAGES = ("en", "zh")
Arguments = tuple[float | str, ...]


class Reason(NamedTuple):
    """One reason; as a string it is the sentence in English."""

    code: str
    arguments: Arguments = ()

    def __str__(self) -> str:
        return say(self)


_SENTENCES: dict[str, tuple[str, str]] = {
    "sentence": ("{0}", "{0}"),
    "few-scales": ("A shape needs at least {1} scales; here: {0}.", "只有 {0} 个规模；判定形状至少需要 {1} 个。"),
    "short-span": (
        "The scales span a factor of {0:.3g}; a shape needs at least 10.",
        "规模跨度仅 {0:.3g} 倍；判定形状至少需要 10 倍。",
    ),
    "no-errors": (
        "No standard error is known for some points, so change cannot be told from noise.",
        "部分点没有标准误，无法区分变化与噪声。",
    ),
    "saturated": ("More than half of the scales are within 0.05 of the ceiling.", "超过一半的规模距上限不到 0.05。"),
    "flat": (
        "A straight line through the scores changes by no more than {0:.2g} from the smallest to the largest model "
        "(95 %); the scores span {1:.3g}.",
        "穿过各得分的直线从最小到最大的模型变化不超过 {0:.2g}（95%）；得分跨度 {1:.3g}。",
    ),
    "goes": ("Goes from {0:.3g} to {1:.3g}.", "从 {0:.3g} 到 {1:.3g}。"),
    "goes-between": (
        "Goes from {0:.3g} to {1:.3g} (lowest {2:.3g}, highest {3:.3g}).",
        "从 {0:.3g} 到 {1:.3g}（最低 {2:.3g}，最高 {3:.3g}）。",
    ),
    "floor": ("The first {0} of {1} scales are at chance.", "{1} 个规模中前 {0} 个处于随机水平。"),
    "floor-near": (
        "The first {0} of {1} scales lie on a floor of about {2:.2g}; chance is {3:.2g}.",
        "{1} 个规模中前 {0} 个处于约 {2:.2g} 的底部；随机水平为 {3:.2g}。",
    ),
    "width": (
        "The rise takes {0:.2g} decades from a tenth to nine tenths (95 %: {1:.2g} to {2:.2g}); the models there are "
        "{3:.2g} apart.",
        "从十分之一到十分之九的上升占 {0:.2g} 个数量级（95%：{1:.2g} 至 {2:.2g}）；该处模型间隔为 {3:.2g}。",
    ),
    "abrupt": (
        "No rise of 1.4 decades or more, and none without a jump, explains the points.",
        "任何跨越 1.4 个数量级以上或没有跃升的曲线都无法解释这些点。",
    ),
    "steep": (
        "As far as this ladder shows the rise is steep, but it takes three models on the floor and two that have done "
        "half of the rise to call it emergent.",
        "就此阶梯所见上升很陡；但判定涌现需要底部有三个模型，且有两个模型已完成一半上升。",
    ),
    "sharp-as-ladder": (
        "It is as sharp as two neighbouring models can show.",
        "其陡峭程度已达相邻两个模型所能显示的极限。",
    ),
    "not-surely-abrupt": (
        "A jump fits best, but a gradual rise explains the points nearly as well.",
        "跃升拟合最好，但渐进上升也几乎同样能解释这些点。",
    ),
    "edge": (
        "The turn rests on an end point: one more scale could undo it.",
        "转折仅由端点支撑：再多一个规模就可能改变。",
    ),
    "one-model": (
        "{0} scores {1:.3g}, {2:+.2g} from where the other models would put it; without it the curve is {3}.",
        "{0} 得分 {1:.3g}，与其余模型所示之处相差 {2:+.2g}；去掉它后曲线为“{3}”。",
    ),
    "one-model-or": (
        "Leaving out {0} ({1:.3g}) instead explains the other models about as well: which of the two is odd is open.",
        "改为去掉 {0}（{1:.3g}）几乎同样能解释其余模型：两者中哪一个异常，尚无定论。",
    ),
    "one-model-astray": (
        "{0} has the ability before the others begin to rise, or lacks it afterwards: rather a lottery between models "
        "than a rise.",
        "{0} 在其余模型开始上升之前就具备该能力，或在其后仍不具备：与其说是上升，不如说像模型之间的抽签。",
    ),
    "one-model-elsewhere": (
        "{0} stands alone on {1} of {2} curves of this family.",
        "在该家族的 {2} 条曲线中，{0} 在 {1} 条上单独偏离。",
    ),
    "companion-climbs": (
        "{0} already improves before the score rises ({1:.1f} standard errors, {2:.0%} of its overall pace).",
        "得分上升之前，{0} 已在改善（{1:.1f} 倍标准误，为其总体速度的 {2:.0%}）。",
    ),
    "companion-still": (
        "{0} does not surely move before the score rises.",
        "得分上升之前，{0} 没有确实的变化。",
    ),
    "companion-worsens": (
        "{0} worsens from {1:.3g} to {2:.3g} before the score rises.",
        "得分上升之前，{0} 从 {1:.3g} 变差至 {2:.3g}。",
    ),
    "companion-bends": ("{0} changes its course where the score rises.", "{0} 在得分上升处改变走势。"),
    "companion-elsewhere": ("{0} changes its course elsewhere.", "{0} 在别处改变走势。"),
    "companion-straight": (
        "{0} shows no clear change of course: a straight line explains it about as well.",
        "{0} 的走势没有明显转折：直线几乎同样能解释。",
    ),
    "companion-fluency": (
        "{0} is not compared: it rises with fluency, whatever the options.",
        "未比较 {0}：它会随流畅度上升，与选项无关。",
    ),
    "one-companion": ("One finer score alone never decides.", "单个更细的指标不足以下结论。"),
    "stopped-early": (
        "Decided on {0} of {1} examples a model: asking the rest would end in {2} with probability {3:.0%}.",
        "每个模型仅问了 {1} 题中的 {0} 题即已判定：问完其余题目，结论为“{2}”的概率为 {3:.0%}。",
    ),
    "undecided": (
        "Judged on {0} of {1} examples: not decided yet.",
        "依据 {1} 题中的 {0} 题判断：尚未判定。",
    ),
}

SHAPES: dict[Shape, tuple[str, str]] = {
    Shape.FLAT: ("flat", "平坦"),
    Shape.SMOOTH: ("smooth", "平滑上升"),
    Shape.LATE: ("late", "晚期上升"),
    Shape.EMERGENT: ("emergent", "涌现"),
    Shape.INVERSE: ("inverse", "随规模下降"),
    Shape.U: ("U", "U 形"),
    Shape.INVERTED_U: ("inverted-U", "倒 U 形"),
    Shape.IRREGULAR: ("irregular", "不规则"),
    Shape.ONE_MODEL: ("one-model", "单个模型"),
    Shape.SATURATED: ("saturated", "饱和"),
    Shape.INCONCLUSIVE: ("inconclusive", "不确定"),
    Shape.TOO_FEW: ("too-few", "规模点不足"),
}


Remark = Callable[[Curve, Verdict, float], Arguments | None]
_REMARKS: dict[str, Remark] = {}


def remark(code: str, en: str, zh: str) -> Callable[[Remark], Remark]:
    """Register what may be said of a curve, as sentences with places for its arguments ({0}, {1:.2g}).

    The function gets the curve, its verdict and the p-value from which on a change is no discovery; it returns the
    arguments of the sentence, or None where there is nothing to say.
    """

    def register(function: Remark) -> Remark:
        only_one("reason", code, _REMARKS.get(code) or (say if code in _SENTENCES else None), function)
        _SENTENCES[code], _REMARKS[code] = (en, zh), function
        return function

    return register


def remarks(curve: Curve, verdict: Verdict, level: float) -> list[Reason]:
    """All that is to be said of a curve."""
    _load()
    found = ((code, function(curve, verdict, level)) for code, function in _REMARKS.items())
    return [Reason(code, arguments) for code, arguments in found if arguments is not None]


def sentences() -> dict[str, tuple[str, str]]:
    """Code → its sentence in every one of ``LANGUAGES``."""
    _load()
    return _SENTENCES


@cache
def _load() -> None:
    package = f"{__name__.rpartition('.')[0]}.remarks"
    for module in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")


def say(reason: Reason | str, lang: str = "en") -> str:
    """The sentence of a reason in ``lang``; a string is a reason as kept in a file, or a sentence of an old run."""
    if isinstance(reason, str):
        reason = read(reason)
    column = LANGUAGES.index(lang)
    if reason.code not in sentences():
        return f"{reason.code} {', '.join(map(str, reason.arguments))}".strip()
    words = [SHAPES[Shape(a)][column] if a in SHAPES else a for a in reason.arguments]
    return sentences()[reason.code][column].format(*words)


def kept(reasons: Iterable[Reason]) -> list[str]:
    """Reasons as strings for a table."""
    return [json.dumps([reason.code, *reason.arguments], ensure_ascii=False) for reason in reasons]


def read(text: str) -> Reason:
    """A reason from a table; a sentence of an old run becomes one that says it as it is."""
    try:
        code, *arguments = json.loads(text) if text.startswith("[") else ("sentence", text)
    except ValueError:
        code, arguments = "sentence", [text]
    return Reason(str(code), tuple(arguments))
