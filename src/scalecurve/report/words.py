"""The report's words in every language it speaks. A language is one column: key → (English, Simplified Chinese)."""

from __future__ import annotations

from scalecurve.nouns import UserError

LANGUAGES = ("en", "zh")
HTML_LANGUAGE = {"en": "en", "zh": "zh-Hans"}

_WORDS: dict[str, tuple[str, str]] = {
    # navigation and controls
    "overview": ("Overview", "概览"),
    "abilities": ("Abilities", "能力"),
    "map": ("Map", "图谱"),
    "methods": ("Methods", "方法"),
    "skip": ("Skip to content", "跳到正文"),
    "theme": ("Light or dark", "浅色或深色"),
    "axis": ("Scale by", "横轴"),
    "log": ("Logarithmic", "对数刻度"),
    "search": ("Find an ability", "查找能力"),
    "all": ("All", "全部"),
    "family": ("Family", "模型家族"),
    "verdict": ("Verdict", "判定"),
    "strategy": ("Prompt", "提问方式"),
    "metric": ("Metric", "指标"),
    "sort": ("Sort by", "排序"),
    "more": ("Show more", "显示更多"),
    "shown_of": ("{shown} of {all} curves", "显示 {shown} / {all} 条曲线"),
    "preferred_only": ("Headline metrics only", "仅主要指标"),
    "loading": ("Loading…", "加载中…"),
    "noscript": (
        "Charts, tables and examples are drawn by this page's own script; switch JavaScript on to see them.",
        "图表、表格和示例由本页自带的脚本绘制；请启用 JavaScript。",
    ),
    "live": ("Live: this page follows the run.", "实时：本页随运行更新。"),
    # two systems
    "controllers": ("controllers", "控制器"),
    "always_fast": ("always fast", "始终快答"),
    "always_slow": ("always slow", "始终慢想"),
    "random": ("random, as often", "同频随机"),
    "task_router": ("task router", "按任务路由"),
    "other_ways": ("other ways", "其他方式"),
    "larger_rung": ("larger, at equal work", "等算力更大模型"),
    "oracle": ("oracle", "理想上限"),
    "way": ("Way", "方式"),
    "accuracy": ("Accuracy", "准确率"),
    "tokens_an_item": ("Tokens an item", "每题词元数"),
    "auroc_fixes": ("AUROC of “slow fixes”", "“慢想能纠正”的 AUROC"),
    "control": ("controller", "控制器"),
    "doubt": ("1 − confidence", "1 − 置信度"),
    # axes
    "params_non_embedding": ("Parameters (non-embedding)", "参数量（不含嵌入层）"),
    "params_total": ("Parameters (total)", "参数量（总计）"),
    "training_flops": ("Training compute (FLOPs)", "训练计算量（FLOPs）"),
    "training_tokens": ("Training tokens", "训练词元数"),
    "step": ("Training step", "训练步数"),
    "loss": ("Pre-training loss", "预训练损失"),
    # nouns
    "task": ("Ability", "能力"),
    "score": ("Score", "得分"),
    "model": ("Model", "模型"),
    "items": ("Items", "题数"),
    "series": ("Curve", "曲线"),
    "chance": ("chance", "随机水平"),
    "ceiling": ("ceiling", "上限"),
    "human_mean": ("human mean", "人类平均"),
    "human_best": ("best human", "人类最佳"),
    "shots": ("{k}-shot", "{k} 例"),
    "direct": ("direct", "直接作答"),
    "chain_of_thought": ("chain of thought", "思维链"),
    "zero_shot_cot": ("zero-shot chain of thought", "零样本思维链"),
    "few_shot": ("few-shot", "少样本"),
    "least_to_most": ("least-to-most", "由易到难"),
    "self_consistency": ("self-consistency", "自洽投票"),
    "belief_none": ("no belief stated", "未陈述信念"),
    "belief_right": ("right belief stated", "陈述正确信念"),
    "belief_wrong": ("wrong belief stated", "陈述错误信念"),
    "belief_irrelevant": ("irrelevant remark", "无关陈述"),
    "belief_own": ("own statement", "模型自述"),
    "smallest_largest": ("Smallest → largest", "最小 → 最大"),
    "threshold": ("Appears at", "出现规模"),
    "linearity": ("L/(m−1)", "L/(m−1)"),
    "breakthroughness": ("B", "B"),
    "artefact": ("Artefact check", "伪影检验"),
    "confidence": ("Sure", "置信度"),
    "failed": ("without an answer", "无答案"),
    "not_computed": ("not computed", "未计算"),
    # shapes
    "emergent": ("emergent", "涌现"),
    "smooth": ("smooth", "平滑上升"),
    "flat": ("flat", "平坦"),
    "inverse": ("inverse", "逆规模"),
    "U": ("U-shaped", "U 形"),
    "inverted-U": ("inverted U", "倒 U 形"),
    "saturated": ("saturated", "饱和"),
    "irregular": ("irregular", "不规则"),
    "inconclusive": ("inconclusive", "不确定"),
    "too-few": ("too few scales", "规模点不足"),
    "undefined": ("undefined", "无法判定"),
    "at-chance": ("at chance", "处于随机水平"),
    "late-onset": ("late onset", "晚期起步"),
    "concave": ("concave", "先快后慢"),
    "metric-artefact": ("metric artefact", "指标伪影"),
    "metric-robust": ("robust to the metric", "对指标稳健"),
    "undetermined": ("undetermined", "未定"),
    "untested": ("untested", "未检验"),
    # flags
    "constant-answer": ("same answer at most scales", "多数规模下答案相同"),
    "structural-zero": ("never above zero", "始终为零"),
    "constant": ("constant", "恒定"),
    "outlier-driven": ("one model stands alone", "受单个异常模型影响"),
    "edge-driven": ("turn rests on an end point", "转折仅由端点支撑"),
    "below-chance-start": ("starts below chance", "起点低于随机水平"),
    "unpaired": ("no item scores", "无逐题得分"),
    "missing-points": ("points missing", "缺少数据点"),
    "missing-scale": ("scales missing", "缺少规模值"),
    "failed-items": ("items without an answer", "部分题目无答案"),
    "explained-by-link": ("explained by a companion", "可由伴随指标解释"),
    "stopped-early": ("decided before every example was asked", "未问完全部题目即已判定"),
    "undecided": ("not decided yet", "尚未判定"),
    "one-companion": ("one companion only", "仅一个伴随指标"),
    "approximate": ("approximate compute", "计算量为近似值"),
    "extraction": ("answer extraction differs", "答案抽取率不同"),
    # overview
    "table": ("All curves", "全部曲线"),
    "counts": ("What the curves look like", "曲线的形状"),
    "thresholds": ("Where abilities appear", "能力在何处出现"),
    "thresholds_note": (
        "Abilities with a rise, sorted by the scale where it begins. The line is the 95% interval, never "
        "narrower than the gap between two models.",
        "按上升起点的规模排序。横线为 95% 区间，不会窄于相邻两个模型的间隔。",
    ),
    "no_thresholds": ("No curve has a threshold.", "没有曲线出现阈值。"),
    "map_note": (
        "Each mark is one curve. In the grey region curves of pure noise lie 95% of the time, at this number of "
        "scales. L and B describe a curve; neither proves emergence. Values beyond the edge are drawn on it.",
        "每个标记是一条曲线。灰色区域是同样规模点数下纯噪声曲线 95% 落入的范围。L 与 B 只描述曲线，不能证明涌现。"
        "超出边界的值画在边界上。",
    ),
    "no_verdicts": (
        "Verdicts are not computed for this run; the curves are shown as they are.",
        "本次运行未计算判定；仅展示曲线。",
    ),
    # ability
    "about": ("About", "说明"),
    "companions": ("Every metric of the same answers", "同一批答案的各项指标"),
    "logprobs": ("Log-probability of right and wrong answers", "正确与错误答案的对数概率"),
    "correct_logprob": ("right answer", "正确答案"),
    "wrong_logprob": ("wrong answers", "错误答案"),
    "subabilities": ("The ladder of its parts", "子能力阶梯"),
    "ladder_note": (
        "In the order in which they appear: from the named model on, scores are above chance by three standard errors.",
        "按出现顺序排列：自所示模型起，各规模得分均高于随机水平三个标准误。",
    ),
    "appears": ("appears at {rung}", "出现于 {rung}"),
    "from_the_first": ("there from the smallest model on", "最小的模型即已具备"),
    "not_yet": ("not surely above chance at the largest", "最大的模型仍未明显高于随机水平"),
    "probe_of": ("noticed in the answers to {task}", "取自“{task}”的回答"),
    "why": ("Why", "理由"),
    "band_note": (
        "Bars span two standard errors. The grey band is where the rise begins.",
        "误差线为两倍标准误。灰带为上升起点所在区间。",
    ),
    "fan_note": (
        "Dotted: forecast for the next size, with 80% and 95% intervals.",
        "点线：对下一规模的预测，含 80% 与 95% 区间。",
    ),
    "unlock": ("unlocks", "解锁"),
    "back": ("All abilities", "全部能力"),
    "numbers": ("The numbers", "数值"),
    # examples
    "examples": ("One question, every model", "同一问题，各模型的回答"),
    "examples_note": (
        "{shown} of {all} questions, evenly spaced. A mark says whether the answer was right.",
        "{all} 题中等距抽取 {shown} 题。标记表示答案是否正确。",
    ),
    "examples_none": ("No examples are kept for this ability.", "此能力没有保存示例。"),
    "examples_left": (
        "Examples of this ability are left out to keep the file small: `scalecurve view RUN` shows all of them.",
        "为控制文件大小，此能力的示例未嵌入：用 `scalecurve view RUN` 查看全部。",
    ),
    "filter": ("Show", "筛选"),
    "any": ("every question", "所有问题"),
    "first_solved": ("first solved at {rung}", "首次答对于 {rung}"),
    "never_solved": ("never solved", "从未答对"),
    "lost_at": ("lost at {rung}", "在 {rung} 处退步"),
    "prompt_changed": ("changed by the prompt", "因提问方式而变"),
    "question": ("Question", "问题"),
    "wanted": ("Expected", "参考答案"),
    "prompt_shown": ("Prompt, exactly as sent", "实际发送的提示词"),
    "raw": ("All that was written", "完整输出"),
    "no_response": ("no answer found", "未抽取到答案"),
    "right": ("right", "正确"),
    "wrong": ("wrong", "错误"),
    "no_answer": ("no answer", "无回答"),
    "no_match": ("No question matches.", "没有符合条件的问题。"),
    "unscored": ("not scored", "未评分"),
    "logprob_of": ("log-probability {value} nats", "对数概率 {value} nats"),
    # methods
    "what_ran": ("What was run", "运行内容"),
    "models": ("Models", "模型"),
    "tasks": ("Abilities asked", "所测能力"),
    "study": ("Study", "研究设定"),
    "environment": ("Versions", "版本"),
    "cost": ("Cost", "开销"),
    "failures": ("Failures", "失败"),
    "no_failures": ("Every question got an answer.", "所有问题均得到回答。"),
    "caveats": ("Read with care", "注意事项"),
    "reproduce": ("Reproduce", "复现"),
    "cite": ("Cite", "引用"),
    "started": ("Started", "开始"),
    "finished": ("Finished", "结束"),
    "unfinished": ("not finished", "未完成"),
    "questions": ("Answers", "回答数"),
    "prompt_tokens": ("Prompt tokens", "提示词元"),
    "generated_tokens": ("Generated tokens", "生成词元"),
    "seconds": ("Model seconds", "模型用时（秒）"),
    "seeds": ("Seeds", "随机种子"),
    "run": ("Run", "运行"),
    "fingerprint": ("Fingerprint", "指纹"),
    # metrics
    "exact_match": ("exact match", "完全匹配"),
    "exact_str_match": ("exact match", "完全匹配"),
    "case_insensitive_str_match": ("match in any case", "匹配（不分大小写）"),
    "multiple_choice_grade": ("multiple-choice grade", "选择题得分"),
    "target_logprob": ("log-probability of the target", "目标答案的对数概率"),
    "option_probability": ("probability of right options", "正确选项的概率"),
    "brier": ("Brier score", "布里尔分数"),
    "calibration_multiple_choice_brier_score": ("Brier score (BIG-bench)", "布里尔分数（BIG-bench）"),
    "expected_calibration_error": ("calibration error", "校准误差"),
    "bleu": ("BLEU", "BLEU"),
    "edit_similarity": ("edit similarity", "编辑相似度"),
    "extraction_rate": ("answers extracted", "答案抽取率"),
    "classification_loss": ("classification loss (nats)", "分类损失（nats）"),
    "log_odds": ("log-odds of the right answer (nats)", "正确答案的对数几率（nats）"),
    "class_coverage": ("probability of all classes", "各类别概率之和"),
    "sequence_loss": ("loss of the completion (nats)", "续写损失（nats）"),
    "gap:multiple_choice_grade": ("gap to the control", "与对照的差距"),
    "log_odds_shift": ("shift of the log-odds (nats)", "对数几率偏移（nats）"),
    "absolute_log_odds_shift": ("absolute shift of the log-odds (nats)", "对数几率偏移绝对值（nats）"),
    "relative_error": ("relative error", "相对误差"),
    "anchor_pull": ("pull of the anchor", "锚定偏移"),
}

CAVEATS: tuple[tuple[str, str], ...] = (
    (
        "A verdict holds for these sizes, this family, this prompt and this metric. A larger model may undo it.",
        "判定只对这些规模、这一家族、这种提问方式和这一指标成立。更大的模型可能改变结论。",
    ),
    (
        "A sharp rise of a strict metric may be an artefact of that metric: look at the companions first.",
        "严格指标的陡升可能只是指标伪影：先看伴随指标再下结论。",
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
        "Missing scores are left out and counted as failures; they are never taken as zero.",
        "缺失的得分会被剔除并计为失败，绝不当作零。",
    ),
)


def words(lang: str) -> dict[str, str]:
    """Key → word in ``lang``; ``UserError`` for a language not spoken."""
    if lang not in LANGUAGES:
        raise UserError(f"--lang: {lang!r} is not known; choose {' or '.join(LANGUAGES)}")
    column = LANGUAGES.index(lang)
    return {key: pair[column] for key, pair in _WORDS.items()}


def caveats(lang: str) -> list[str]:
    """What a reader should keep in mind."""
    return [pair[LANGUAGES.index(lang)] for pair in CAVEATS]
