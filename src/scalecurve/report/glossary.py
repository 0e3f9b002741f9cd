"""What the report's terms mean, and what to keep in mind: one or two sentences each, in every language it speaks.

The definitions are those of docs/curves.md.
"""

from __future__ import annotations

from scalecurve.report.words import LANGUAGES

# key of the word → (English, Simplified Chinese)
TERMS: dict[str, tuple[str, str]] = {
    "series": (
        "The scores of a family's models on one ability asked in one way. Counts on this page are of curves.",
        "一个家族的各模型在一项能力、一种提问方式下的得分。本页均按曲线计数。",
    ),
    "chance": (
        "What guessing would score. A model on the floor scores no more.",
        "猜测所得的分数。处于底部的模型不高于此。",
    ),
    "finer": (
        "A score of the same answers that gives marks between right and wrong, such as the log-probability of the "
        "right one.",
        "同一批答案的另一种得分，在对错之间还有分值，例如正确答案的对数概率。",
    ),
    "firm": ("The shape has a probability of 90% or more.", "该形状的概率不低于 90%。"),
    "likely": ("The shape has a probability of 60 to 90%.", "该形状的概率为 60% 至 90%。"),
    "open": (
        "No shape has a probability of 60%: more questions or more models would be needed.",
        "没有一个形状的概率达到 60%：需要更多题目或更多模型。",
    ),
    "emergent": (
        "At chance in at least three models, then an abrupt rise that no gradual course explains. The shape of the "
        "score alone: whether the ability jumps is what the metric check says.",
        "至少三个模型处于随机水平，随后突然上升，任何渐进走势都无法解释。这只是得分的形状；能力本身是否突增，"
        "见指标检验。",
    ),
    "late": (
        "At chance at first, then a rise that is not shown to be a jump: gradual (wider than 1.2 decades of scale by "
        "its whole 95% interval), steep (narrower, but with too few models to call it a jump), or neither.",
        "起初处于随机水平，随后上升，但未证明是突增：渐进（整个 95% 区间宽于 1.2 个数量级）、陡峭（更窄，"
        "但模型太少，不能称为突增），或两者皆非。",
    ),
    "smooth": ("Any other rise; concave where it slows down.", "其他上升；逐渐放缓的称为先快后慢。"),
    "flat": (
        "No change, or less than .05; at chance where every model is.",
        "没有变化，或变化不到 0.05；若所有模型都处于随机水平，则另行注明。",
    ),
    "inverse": ("The score falls with scale.", "得分随规模下降。"),
    "U": ("A fall and then a rise.", "先降后升。"),
    "inverted-U": ("A rise and then a fall.", "先升后降。"),
    "one-model": (
        "Flat but for one model, which stands apart.",
        "除一个与众不同的模型外均平坦。",
    ),
    "saturated": (
        "More than half of the models are within .05 of the ceiling: this exam no longer tells them apart.",
        "超过一半的模型距上限不到 0.05：本测验无法再区分它们。",
    ),
    "irregular": (
        "The models differ by more than any course over scale explains.",
        "各模型间的差异超出任何随规模变化的走势所能解释。",
    ),
    "inconclusive": (
        "No shape is likely enough; the likeliest stands beside it.",
        "没有足够可能的形状；旁边注明最可能的一个。",
    ),
    "too-few": (
        "Fewer than four sizes, or sizes that span less than a factor of ten.",
        "规模少于四个，或跨度不到十倍。",
    ),
    "artefact": (
        "Behind a rise off chance: finer scores of the same answers are looked at, such as the log-probability of the "
        "right one. At least two of them must agree.",
        "针对离开随机水平的上升：查看同一批答案的更细指标，例如正确答案的对数概率。至少两个指标须一致。",
    ),
    "metric-artefact": (
        "At least two finer scores had surely improved before the score did, by three standard errors, and in a "
        "straight line or at half of their overall pace or more; none speaks for a robust rise. The jump is made by a "
        "strict metric, not by the ability.",
        "至少两个更细的指标在得分上升之前已确实改善（三倍标准误），且走势为直线，或速度不低于其总体速度的一半；"
        "没有指标支持稳健的上升。"
        "突增来自严格的指标，而非能力。",
    ),
    "metric-robust": (
        "At least two finer scores turn where the score rises, within one interval between models, and had not "
        "improved before by as much as half of their overall pace; none speaks for an artefact. They may improve "
        "before, more slowly.",
        "至少两个更细的指标在得分上升处转折（相差不超过一个模型间隔），此前的改善速度不到其总体速度的一半；"
        "没有指标支持假象。"
        "它们此前可以有较慢的改善。",
    ),
    "undetermined": (
        "The finer scores disagree, or fewer than two of them say the same.",
        "各更细的指标不一致，或意见相同的不足两个。",
    ),
    "untested": (
        "No finer score was recorded, or none that can be compared here: at the same models, with errors, over two of "
        "them at least that are at chance before the rise.",
        "没有记录更细的指标，或没有可在此比较的：须有相同的模型和误差，且上升之前至少有两个模型处于随机水平。",
    ),
    "threshold": (
        "A rise begins between the last model on the floor and the first off it, by the verdict's count of the "
        "models on "
        "the floor. The 95% interval of that place is at least as wide.",
        "上升始于底部最后一个模型与离开底部的首个模型之间，底部的模型数依判定。该位置的 95% 区间至少同样宽。",
    ),
    "surely": (
        "By more than three standard errors.",
        "超过标准误的三倍。",
    ),
    "significant": (
        "Of differences of two models or prompts: at 95% over all that are shown together.",
        "用于两个模型或两种提问方式的差异：在一并显示的全部差异上为 95%。",
    ),
    "hollow": (
        "A hollow point: a single model that fits no course of the others; the verdict is made without it.",
        "空心点：与其余模型的走势都不相符的单个模型；判定时不计入。",
    ),
    "linearity": (
        "L / (m − 1), −1 to 1: how steadily the score goes up from each of the m models to the next; 1 is a straight "
        "climb. It describes a curve and proves nothing.",
        "L / (m − 1)，取值 −1 至 1：得分在 m 个模型间逐个上升的稳定程度；1 为直线上升。只描述曲线，不证明任何结论。",
    ),
    "breakthroughness": (
        "How large the whole rise is against the typical step between neighbours: large where one step makes most of "
        "it. It describes a curve and proves nothing.",
        "总上升幅度与相邻模型间典型步幅之比：若一步完成大部分上升，则数值大。只描述曲线，不证明任何结论。",
    ),
}

CAVEATS: tuple[tuple[str, str], ...] = (
    (
        "A verdict holds for these sizes, this family, this prompt and this metric. A larger model may undo it.",
        "判定只对这些规模、这一家族、这种提问方式和这一指标成立。更大的模型可能改变结论。",
    ),
    (
        "A sharp rise of a strict metric may be an artefact of that metric: look at the finer scores first.",
        "严格指标的陡升可能只是指标假象：先看更细的指标再下结论。",
    ),
    (
        "The ladder resolves nothing between two neighbouring sizes; threshold intervals are never narrower than that.",
        "相邻两个规模之间无法分辨；阈值区间不会窄于这一间隔。",
    ),
    (
        "Error bars speak of the questions drawn, not of training anew: another training seed may move a point more.",
        "误差线反映题目的抽样，不含重新训练的差异：换一个训练种子，点可能移动更多。",
    ),
    (
        "Where a model gave no reply the score is missing: it is left out and counted as a failure, never taken as "
        "zero. Where it replied, but no answer was found in its text, the answer counts as wrong.",
        "模型没有回复时得分缺失：会被剔除并计为失败，绝不当作零。有回复但文本中未抽取到答案时，该回答计为错误。",
    ),
)


def glossary(lang: str) -> dict[str, str]:
    """Key of a word → what it means, in ``lang``."""
    column = LANGUAGES.index(lang)
    return {key: pair[column] for key, pair in TERMS.items()}


def caveats(lang: str) -> list[str]:
    """What a reader should keep in mind."""
    return [pair[LANGUAGES.index(lang)] for pair in CAVEATS]
