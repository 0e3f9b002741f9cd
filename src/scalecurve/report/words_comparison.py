"""What the page of two sides compared says."""

from __future__ import annotations

# key → (English, Simplified Chinese)
COMPARISON: dict[str, tuple[str, str]] = {
    "title": ("{a} against {b}", "{a} 对比 {b}"),
    "comparisons": ("{n} comparisons, on the same questions", "{n} 项对比，题目相同"),
    "comparison": ("1 comparison, on the same questions", "1 项对比，题目相同"),
    "better": (
        "{a} is significantly better than {b} on {better} of {all}.",
        "{all} 项中，{a} 在 {better} 项上显著优于 {b}。",
    ),
    "better_worse": (
        "{a} is significantly better than {b} on {better} of {all}, worse on {worse}.",
        "{all} 项中，{a} 在 {better} 项上显著优于 {b}，{worse} 项上更差。",
    ),
    "none": ("No difference between {a} and {b} is significant.", "{a} 与 {b} 之间没有显著差异。"),
    "how": (
        "Differences A − B with 95% intervals; significant means a p below 5% over all rows together ({adjust}).",
        "差值为 A − B，附 95% 区间；“显著”指所有行一并检验时 p 低于 5%（{adjust}）。",
    ),
    "unpaired": (
        "{n} without item scores are unpaired, as if other questions had been asked.",
        "{n} 项没有逐题得分，按各自题目不同处理。",
    ),
    "open": (
        "Open a row for the questions that only one of the two got.",
        "展开一行，可见只有其中一方答对的题目。",
    ),
    "questions": ("{n} questions", "{n} 题"),
    "won_lost": ("won, lost", "胜，负"),
    "only_a": ("Only A got", "仅 A 答对"),
    "only_b": ("Only B got", "仅 B 答对"),
    "a_said": ("A said", "A 答"),
    "b_said": ("B said", "B 答"),
    "more": ("and {n} more; {command} names them all", "另有 {n} 题；{command} 可列出全部"),
    "no_items": ("No item scores: the questions are not known.", "没有逐题得分，无法得知具体题目。"),
    "no_question": (
        "No question was won or lost, or its answers are not in the run.",
        "没有胜负不同的题目，或其回答不在此次运行中。",
    ),
    "ladder": ("Over the whole ladder", "整个阶梯"),
    "task": ("Ability", "能力"),
    "models": ("Models", "模型数"),
    "decade": ("More a decade of scale", "规模每增一个数量级"),
    "p": ("p of that", "其 p 值"),
    "to": ("{low} to {high}", "{low} 至 {high}"),
}
