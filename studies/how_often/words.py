"""The words of the pages' tables, in English and Chinese."""

from __future__ import annotations

from typing import Any

SHAPES = {
    "en": {
        "flat": "flat", "smooth": "smooth", "late": "late", "emergent": "emergent", "inverse": "inverse", "U": "U",
        "inverted-U": "inverted U", "irregular": "irregular", "one-model": "one model", "saturated": "saturated",
        "inconclusive": "open", "too-few": "too few",
    },
    "zh": {
        "flat": "平坦", "smooth": "平滑上升", "late": "晚期上升", "emergent": "涌现", "inverse": "逆规模", "U": "U 形",
        "inverted-U": "倒 U 形", "irregular": "不规则", "one-model": "单个模型", "saturated": "饱和",
        "inconclusive": "未定", "too-few": "规模点不足",
    },
}  # fmt: skip
AXES = {
    "en": {"params_total": "all parameters", "training_flops": "training FLOPs", "training_tokens": "training tokens",
           "loss": "loss"},
    "zh": {"params_total": "总参数量", "training_flops": "训练 FLOPs", "training_tokens": "训练词元数", "loss": "损失"},
}  # fmt: skip
SETS = ("Pythia", "Gadre", "OLMo ladder", "Gemstones", "Public models")
HEADS: dict[str, Any] = {
    "set_shapes": ["flat", "smooth", "late", "emergent", "inverse", "inconclusive"],
    "en": {
        "shapes": ["verdict", "curves", "share [95 %]", "firm"],
        "sets": ["source", "curves", "families", "most sizes", "could be emergent"],
        "sisters": ["verdict", "comparisons", "origins", "sister says the same", "sister contradicts"],
        "axes": ["axis", "curves judged on both", "same verdict", "emergent over parameters", "of these emergent here",
                 "emergent here only", "off chance over parameters", "of these off chance here"],
        "index": ["verdict", "curves with B above the cut"],
        "training": ["verdict", "curves", "share [95 %]"],
        "forecast": ["targets", "origins", "error", "least error", "excess [95 %]", "last value", "line",
                     "in 80 %", "in 95 %"],
        "planted": ["planted", "called emergent [95 %]", "left open [95 %]"],
        "courses": {"step": "a jump of .3", "small step": "a jump of .2", "smaller step": "a jump of .15",
                    "least step": "a jump of .1", "narrow": "a rise of .3 over one decade",
                    "medium": "over 1.5 decades", "gradual": "over two decades", "nothing": "nothing"},
        "shots": "{n} shots",
        "asked_head": "asked", "by_shape": "verdict on what was known", "by_set": "source", "by_distance": "distance",
        "asked": {"next size": "next size", "two sizes ahead": "two sizes ahead",
                  "four times": "four times as large or more"},
        "less": ["asked", "verdict on what was known", "excess above that of flat [95 %]"],
        "cover": ["part", "benchmarks", "origins", "rare (means: normal effects)", "common (means: skewed effects)"],
        "parts": {"judged": "all judged curves", "able": "those that could be emergent", "gadre": "of these Gadre's",
                  "loss": "all runs over loss", "training": "within training",
                  "forecasts": "means: forecasts, next size",
                  "forecasts_gadre": "means: of these Gadre's"},
        "examples": ["", "curve", "scores, smallest model first", "verdict", "doubt"],
        "set_names": {name: name for name in SETS},
    },
    "zh": {
        "shapes": ["结论", "曲线数", "占比 [95 %]", "确定"],
        "sets": ["来源", "曲线数", "家族数", "最多规模数", "可能判为涌现"],
        "sisters": ["结论", "比较次数", "来源数", "姊妹系列相同", "姊妹系列矛盾"],
        "axes": ["坐标轴", "两轴皆可判定", "结论相同", "按参数涌现", "其中此轴亦涌现", "仅此轴涌现",
                 "按参数离开随机水平", "其中此轴亦然"],
        "index": ["结论", "B 超过界限的曲线数"],
        "training": ["结论", "曲线数", "占比 [95 %]"],
        "forecast": ["目标数", "来源数", "误差", "最小误差", "超出 [95 %]", "末值法", "直线",
                     "80 % 区间内", "95 % 区间内"],
        "planted": ["植入", "判为涌现 [95 %]", "未定 [95 %]"],
        "courses": {"step": ".3 的跃升", "small step": ".2 的跃升", "smaller step": ".15 的跃升",
                    "least step": ".1 的跃升", "narrow": "一个数量级内上升 .3",
                    "medium": "1.5 个数量级", "gradual": "两个数量级", "nothing": "毫无变化"},
        "shots": "{n} 样本",
        "asked_head": "预测", "by_shape": "已知点的结论", "by_set": "来源", "by_distance": "距离",
        "asked": {"next size": "下一规模", "two sizes ahead": "跨两个规模", "four times": "四倍以上"},
        "less": ["预测", "已知点的结论", "超出部分比平坦曲线多 [95 %]"],
        "cover": ["部分", "基准数", "来源数", "罕见（平均值：正态效应）", "常见（平均值：偏态效应）"],
        "parts": {"judged": "全部可判定曲线", "able": "其中可能涌现者", "gadre": "其中 Gadre 的",
                  "loss": "全部训练按损失", "training": "训练过程", "forecasts": "平均值：预测下一规模",
                  "forecasts_gadre": "平均值：其中 Gadre 的"},
        "examples": ["", "曲线", "得分（由小到大）", "结论", "疑点"],
        "set_names": {"Pythia": "Pythia", "Gadre": "Gadre", "OLMo ladder": "OLMo 阶梯", "Gemstones": "Gemstones",
                      "Public models": "公开模型"},
    },
}  # fmt: skip
DOUBTS: dict[str, dict[str, str]] = {
    "en": {
        "index": "B is {b}", "models": "{n} models", "outlier-driven": "one model was left out as odd",
        "largest-only": "rests on the largest model", "edge-driven": "the turn rests on an end point",
        "below-chance-start": "begins below chance",
        "width": "the rise may take {lo} to {hi} decades (95 %)",
        "one width": "{lo} decades has nearly all the weight of the widths tried",
        "untested": "no finer score in these sources", "undetermined": "the finer scores do not decide",
        "elsewhere": "other families: {shapes}", "count": "{n} {shape}", "flops": "over FLOPs it is {shape}",
        "sister": "sister series: {shapes}", "no sister": "no scores of a sister series in these sources",
        "items": "{n} questions",
    },
    "zh": {
        "index": "B 为 {b}", "models": "仅 {n} 个模型", "outlier-driven": "剔除了一个异常模型",
        "largest-only": "仅由最大模型支撑", "edge-driven": "转折仅由端点支撑", "below-chance-start": "起点低于随机水平",
        "width": "上升可能跨 {lo} 至 {hi} 个数量级（95 %）",
        "one width": "所试宽度中 {lo} 个数量级几乎占了全部权重",
        "untested": "这些来源没有更细的指标", "undetermined": "更细的指标无法定论",
        "elsewhere": "其他家族：{shapes}", "count": "{n} 条{shape}", "flops": "按 FLOPs 则为{shape}",
        "sister": "姊妹系列：{shapes}", "no sister": "这些来源没有其姊妹系列的得分", "items": "{n} 道题",
    },
}  # fmt: skip
NOTES: dict[str, dict[tuple[str, str], str]] = {
    "en": {
        ("GPT-Neo/J", ""): "three recipes under one name (GPT-Neo, GPT-J, GPT-NeoX)",
        ("GPT-Neo/J", "2-digit addition"): "it rises where the recipe changes from GPT-Neo (the first three) to GPT-J",
        (
            "GPT-Neo/J",
            "3-digit subtraction",
        ): "it rises where the recipe changes from GPT-Neo (the first three) to GPT-J",
        ("Pythia", "2-digit addition"): "Pythia-2.8B scores far above both larger models",
        ("Qwen1.5", "leaderboard_math_hard"): "the source's training tokens change where the fitted rise begins (2.4 T "
        "up to 4B, 4.0 T from 7B; 110B: not stated), but of the {whole} that the scores rise from 4B to 32B only "
        "{first} lie between 4B and 7B; the rest, from 7B to 32B, is at the same 4.0 T",
        ("Pythia", "2-digit multiplication"): "Pythia-2.8B is odd on the other arithmetic tasks",
    },
    "zh": {
        ("GPT-Neo/J", ""): "同名之下是三种配方（GPT-Neo、GPT-J、GPT-NeoX）",
        ("GPT-Neo/J", "2-digit addition"): "上升处正是配方由 GPT-Neo（前三个）变为 GPT-J 之处",
        ("GPT-Neo/J", "3-digit subtraction"): "上升处正是配方由 GPT-Neo（前三个）变为 GPT-J 之处",
        ("Pythia", "2-digit addition"): "Pythia-2.8B 远高于两个更大的模型",
        ("Qwen1.5", "leaderboard_math_hard"): "拟合的上升起点处，来源所记的训练词元数也变了（至 4B 为 2.4 T，"
        "自 7B 起为 4.0 T；110B 未注明），但从 4B 到 32B 上升的 {whole} 中，4B 与 7B 之间只占 {first}；"
        "其余（7B 到 32B）都在同样的 4.0 T 上",
        ("Pythia", "2-digit multiplication"): "Pythia-2.8B 在其他算术任务上也反常",
    },
}
# What a note says of the scores: how much they rise from one model to another.
CLIMBS = {
    ("Qwen1.5", "leaderboard_math_hard"): {
        "first": ("Qwen/Qwen1.5-4B", "Qwen/Qwen1.5-7B"), "whole": ("Qwen/Qwen1.5-4B", "Qwen/Qwen1.5-32B"),
    },
}  # fmt: skip
