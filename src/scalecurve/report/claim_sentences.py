"""The sentences of an ability's page: claims, what would refute them, and why a difference has to be so large."""

from __future__ import annotations

# (English, Chinese). {where}: between which two models; {a}, {b}: their names; {low}, {high}: first and last score;
# {floor}: where the first models are ({left}: what they leave), at chance or on a floor of their own.
CLAIMS: dict[str, tuple[str, str]] = {
    "artefact-emergent": (
        "The score jumps{where}; the ability does not.",
        "得分突增{where}，能力本身并未突增。",
    ),
    "artefact-late": (
        "The score leaves {left} late{where}; the ability had been growing before.",
        "得分较晚离开{left}{where}，能力此前一直在增长。",
    ),
    "robust-emergent": ("Appears suddenly{where}, and finer scores agree.", "突然出现{where}，更细的指标也如此。"),
    "emergent": (
        "The score jumps{where}; whether the ability does is not settled.",
        "得分突增{where}，能力本身是否突增尚无定论。",
    ),
    "late": ("{floor} up to {a}, then rises, to {high}.", "{a} 及更小的模型{floor}，此后升至 {high}。"),
    "gradual": (
        "{floor} up to {a}, then rises gradually, to {high}.",
        "{a} 及更小的模型{floor}，此后逐渐升至 {high}。",
    ),
    "steep": ("{floor} up to {a}, then rises steeply, to {high}.", "{a} 及更小的模型{floor}，此后陡升至 {high}。"),
    "late-onset": ("At chance at first, then rises, to {high}.", "起初处于随机水平，此后升至 {high}。"),
    "smooth": ("Rises steadily with scale, from {low} to {high}.", "随规模稳步上升，从 {low} 到 {high}。"),
    "concave": (
        "Rises with scale, ever more slowly, from {low} to {high}.",
        "随规模上升，先快后慢，从 {low} 到 {high}。",
    ),
    "at-chance": ("No model does better than chance.", "没有模型优于随机水平。"),
    "flat": ("Does not change with scale: {low} at first, {high} at last.", "不随规模变化：起初 {low}，最后 {high}。"),
    "flat-last": (
        "Hardly changes with scale: {low} at first, {high} at last; {last} alone lies off the others.",
        "几乎不随规模变化：起初 {low}，最后 {high}；只有 {last} 偏离其余模型。",
    ),
    "inverse": ("Gets worse with scale, from {low} to {high}.", "随规模变差，从 {low} 到 {high}。"),
    "inverse-upturn": (
        "Gets worse with scale, from {low} to {worst} at {lowest}; at the end a little better again, {high}.",
        "随规模变差，从 {low} 到 {lowest} 的 {worst}；最后略有回升，为 {high}。",
    ),
    "inverted-U": ("Rises, then falls again to {high}.", "先升后降，最后为 {high}。"),
    "U": ("Falls, then comes back to {high}.", "先降后升，最后回到 {high}。"),
    "saturated": (
        "Solved by most models: this exam no longer tells them apart.",
        "多数模型已达上限：本测验无法再区分它们。",
    ),
    "one-model": (
        "One model stands apart: {rung}. The others do not follow.",
        "只有 {rung} 与众不同，其余模型并不跟随。",
    ),
    "irregular": (
        "The models differ by more than any course over scale explains.",
        "各模型间的差异超出任何随规模变化的走势所能解释。",
    ),
    "inconclusive": (
        "Open: {likeliest} fits best, but others fit nearly as well.",
        "尚无定论：“{likeliest}”最为可能，但其他形状也几乎同样符合。",
    ),
    "open": ("Too little is known to judge this curve.", "所知太少，无法判断这条曲线。"),
}

# what would refute: (English, Chinese)
REFUTE: dict[str, tuple[str, str]] = {
    "artefact": (
        "A finer score of the same answers that stays flat up to {b} and then jumps too.",
        "同一批答案的某个更细指标在 {b} 之前保持平坦、随后也突增。",
    ),
    "emergent": (
        "A model between {a} and {b} that scores halfway.",
        "在 {a} 与 {b} 之间有一个得分居中的模型。",
    ),
    "late": (
        "More models between {a} and {last} that show the rise in a single step.",
        "在 {a} 与 {last} 之间有更多模型显示上升只在一步之内完成。",
    ),
    "smooth": (
        "A further model that is worse than a smaller one by more than {noise}: {because}.",
        "另有一个模型比更小的模型差 {noise} 以上：{because}。",
    ),
    "flat": (
        "A larger model that differs from {last} by more than {bound}.",
        "更大的模型与 {last} 相差 {bound} 以上。",
    ),
    "inverse": (
        "A larger model that is better than {last} by more than {noise}: {because}.",
        "更大的模型比 {last} 好 {noise} 以上：{because}。",
    ),
    "inverse-repeated": (
        "The same fall on the same questions where they name no option: then what the question says is not the reason. "
        "Or a larger model that is better than {last} by more than {noise}: {because}.",
        "同样的题目在不提及任何选项时也同样下降：那么题目的说法便不是原因。或者，更大的模型比 {last} 好 {noise} "
        "以上：{because}。",
    ),
    "inverted-U": (
        "A larger model that is better than {last} by more than {noise}: {because}.",
        "更大的模型比 {last} 好 {noise} 以上：{because}。",
    ),
    "U": (
        "A larger model that is worse than {last} by more than {noise}: {because}.",
        "更大的模型比 {last} 差 {noise} 以上：{because}。",
    ),
    "saturated": ("Harder questions on which the models differ.", "能区分各模型的更难的题目。"),
    "one-model": (
        "A second model near {rung} that scores as it does.",
        "{rung} 附近有第二个得分相近的模型。",
    ),
    "open": (
        "More questions, or more models between these, would settle it.",
        "更多题目，或这些规模之间的更多模型，可得定论。",
    ),
}

# Of a jump or a late rise: what the finer scores of the same answers say of it (scalecurve.analysis.verdicts.artefact).
# {names}: finer scores; {climb}, {turn}: how many of {n} speak for the metric and for a jump of the ability.
CHECKS: dict[str, tuple[str, str]] = {
    "metric-robust": (
        "Metric check: robust. A turn where the score rises is seen in {names} too, so counting only right answers "
        "does "
        "not make the rise.",
        "指标检验：稳健。{names}也在得分上升处转折，因此上升并非由只计正确答案造成。",
    ),
    "metric-robust-climbing": (
        "Metric check: robust, although some finer scores improve before ({climbing}): they do so at less than half of "
        "their overall pace. A turn where the score rises is seen in {names}, so counting only right answers does not "
        "make the rise.",
        "指标检验：稳健，尽管有更细的指标此前已有改善（{climbing}）：其速度不到总体速度的一半。"
        "{names}在得分上升处转折，"
        "因此上升并非由只计正确答案造成。",
    ),
    "metric-artefact": (
        "Metric check: artefact. Before the rise there was improvement, in a straight line or at half of the "
        "overall pace "
        "or more, in {names}; no finer score starts only with the rise: counting only right answers makes it.",
        "指标检验：假象。上升之前，{names}已在改善（走势为直线，或速度不低于总体速度的一半）；"
        "没有更细的指标到此处才开始上升："
        "上升由只计正确答案造成。",
    ),
    "undetermined": (
        "Metric check: undetermined. For an effect of the metric speak {climb} of {n} finer scores, for a jump of the "
        "ability {turn} of {n}; two that agree, and none against, would decide.",
        "指标检验：未定。{n} 个更细的指标中，{climb} 个支持指标所致，{turn} 个支持能力突增；"
        "须有两个一致且无一相反才能判定。",
    ),
    "undetermined-fluency": (
        "Metric check: undetermined. The finer scores here ({names}) rise with fluency, whatever the options; one that "
        "weighs the options against each other would decide.",
        "指标检验：未定。这里的更细指标（{names}）会随流畅度上升，与选项无关；需要在选项之间比较的指标才能判定。",
    ),
    "undetermined-recorded": (
        "Metric check: undetermined. Some finer scores rise with fluency, whatever the options ({names}), and others "
        "({others}) cannot be compared here: that takes the same models, with errors, and two models at least at "
        "chance "
        "before the rise.",
        "指标检验：未定。部分更细的指标会随流畅度上升，与选项无关（{names}）；其他指标（{others}）在此无法比较："
        "须有相同的模型和误差，且上升之前至少有两个模型处于随机水平。",
    ),
    "untested": (
        "Metric check: not made, as no finer score of these answers was recorded.",
        "指标检验：未做，没有记录这些答案的更细指标。",
    ),
    "untested-floor": (
        "Metric check: not made. Finer scores were recorded ({names}), but the check compares models at chance, and of "
        "those on the floor here fewer than two are: the floor lies above chance.",
        "指标检验：未做。已记录更细的指标（{names}），但该检验比较处于随机水平的模型，而此处底部的模型中这样的不足两个："
        "底部高于随机水平。",
    ),
    "untested-recorded": (
        "Metric check: not made. The finer scores recorded ({names}) cannot be compared here: that takes the same "
        "models, with errors, and two models at least at chance before the rise.",
        "指标检验：未做。已记录的更细指标（{names}）在此无法比较：须有相同的模型和误差，"
        "且上升之前至少有两个模型处于随机水平。",
    ),
}

# A finer score beside the verdict that goes another way: (English, Chinese)
BESIDES: dict[str, tuple[str, str]] = {
    "still-rising": (
        "{finer} improves all the same, from {low} to {high}: models come closer to right answers than the score "
        "shows.",
        "尽管如此，{finer}有所改善，从 {low} 到 {high}：模型比得分所示更接近正确答案。",
    ),
    "still-falling": (
        "{finer} gets worse, from {low} to {high}, which the score does not show.",
        "{finer}变差，从 {low} 到 {high}，而得分并未显示。",
    ),
    "rising-falling": (
        "{finer} goes the other way: it gets worse, from {low} to {high}.",
        "{finer}走势相反：变差，从 {low} 到 {high}。",
    ),
    "falling-rising": (
        "{finer} goes the other way: it improves, from {low} to {high}.",
        "{finer}走势相反：有所改善，从 {low} 到 {high}。",
    ),
    "fluency": (
        "{finer} improves, from {low} to {high}, but it does so with fluency, whatever the options.",
        "{finer}有所改善，从 {low} 到 {high}，但它会随流畅度上升，与选项无关。",
    ),
}

# of a fall: what the wrong answers are: (English, Chinese)
REPEATED = (
    "Of {n} wrong answers of {rung}, {k} are the option that the question itself names.",
    "{rung} 的 {n} 个错误回答中，有 {k} 个正是题目本身提到的选项。",
)

# of a fall: how other parts of the same ability go: (English, Chinese)
PARTS = ("Other parts of {parent} rise: {names}.", "“{parent}”的其他部分上升：{names}。")

# why a difference has to be so large: (English, Chinese)
ERRORS = ("three standard errors of a difference", "差值标准误的三倍")
SEEN = ("the largest such change already seen, which the errors explain", "已见过的最大同类变化，误差足以解释")
