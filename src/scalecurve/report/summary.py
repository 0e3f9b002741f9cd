"""The overview in plain sentences: what ran, what emerged, rose, fell, stayed flat, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalecurve.report.data import Contents
from scalecurve.report.safe import minus, visible
from scalecurve.schema import ANSWER_TOKENS

Part = str | dict[str, Any]
"""Text, or a link: ``{"task": index, "text": words}``."""

_NAMED = 10  # abilities named in one sentence
_CELLS = 3  # named of those with answers that were not found
_SI = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def amount(value: float | str | None) -> str:
    """A scale in three digits and a letter: 1.2M, 34k."""
    if value is None or isinstance(value, str):
        return "–"
    for size, letter in _SI:
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def sentences(contents: Contents, words: Mapping[str, str], lang: str) -> list[dict[str, Any]]:
    """Paragraphs of the overview, each ``{"kind": verdict or "", "parts": [...]}``."""
    told: list[dict[str, Any]] = [{"kind": "", "parts": [_scope(contents, lang)]}]
    if unread := _unread(contents, words, lang):
        told.append({"kind": "", "parts": unread})
    headline = [curve for curve in contents.curves if curve["p"]]
    if not any(curve["v"] for curve in contents.curves):
        return [*told, {"kind": "", "parts": [words["no_verdicts"]]}]
    for kind, (test, en, zh) in _TELLS.items():
        chosen = [curve for curve in headline if curve["v"] and test(curve["v"])]
        if chosen:
            chosen.sort(key=lambda curve: curve["v"].get("threshold") or float("inf"))
            count = counted(len(chosen), len({curve["t"] for curve in chosen}), words)
            lead = (zh if lang == "zh" else en).format(n=count)
            told.append({"kind": kind, "parts": [lead, *_listed(chosen, contents, words, lang)]})
    jumps = [curve for curve in headline if curve["v"] and _jumps(curve["v"])]
    if jumps:
        told.append({"kind": "", "parts": [_artefacts(jumps, lang)]})
    return told


def _jumps(verdict: Mapping[str, object]) -> bool:
    return verdict["shape"] in ("emergent", "late") or verdict.get("sublabel") == "late-onset"


def _late(verdict: Mapping[str, object]) -> bool:
    return verdict["shape"] == "late" or verdict.get("sublabel") == "late-onset"


def _artefact(verdict: Mapping[str, object]) -> bool:
    """A jump of the score while what it measures rises steadily."""
    return _jumps(verdict) and verdict.get("artefact") == "metric-artefact"


_TELLS: dict[str, tuple[Callable[[Mapping[str, Any]], bool], str, str]] = {
    "emergent": (
        lambda v: v["shape"] == "emergent" and not _artefact(v),
        "{n} appeared suddenly, from chance to clearly above it: ",
        "{n}突然出现，从随机水平跃升至明显高于随机：",
    ),
    "late": (
        lambda v: _late(v) and not _artefact(v),
        "{n} left chance late, gradually or with too few models to show a jump: ",
        "{n}较晚离开随机水平，渐进上升，或模型太少而看不出跃升：",
    ),
    "metric-artefact": (
        _artefact,
        "{n} only seemed to jump or to start late, because the metric is strict; finer scores of the same answers "
        "rise all along: ",
        "{n}看似跃升或较晚起步，只因指标严格；同一批答案的更细指标一路上升：",
    ),
    "one-model": (
        lambda v: v["shape"] == "one-model",
        "{n} rested on one odd model: ",
        "{n}只由一个异常模型造成：",
    ),
    "smooth": (
        lambda v: v["shape"] == "smooth" and not _late(v),
        "{n} grew steadily with scale: ",
        "{n}随规模稳步上升：",
    ),
    "inverse": (lambda v: v["shape"] == "inverse", "{n} got worse with scale: ", "{n}随规模变差："),
    "inverted-U": (lambda v: v["shape"] == "inverted-U", "{n} rose and then fell: ", "{n}先升后降："),
    "U": (lambda v: v["shape"] == "U", "{n} fell and came back: ", "{n}先降后升："),
    "saturated": (
        lambda v: v["shape"] == "saturated",
        "{n} reached the ceiling, so this exam can no longer tell the models apart: ",
        "{n}已达上限，本测验无法再区分各模型：",
    ),
    "flat": (lambda v: v["shape"] == "flat", "{n} did not move: ", "{n}没有变化："),
    "inconclusive": (
        lambda v: v["shape"] in ("inconclusive", "irregular", "too-few", "undefined"),
        "{n} cannot be judged from these data: ",
        "{n}无法据现有数据判断：",
    ),
}


def counted(curves: int, abilities: int, words: Mapping[str, str]) -> str:
    """How many curves, the unit of every count on the page, and of how many abilities where these are fewer."""
    if abilities == curves:
        return words["one_curve" if curves == 1 else "n_curves"].format(n=curves)
    return words["curves_of_one" if abilities == 1 else "curves_of"].format(n=curves, abilities=abilities)


def families_of_models(contents: Contents) -> list[dict[str, Any]]:
    """The families but those of budgets: what one model reaches with more tokens is a curve, but no further family."""
    return [family for family in contents.families if not all(rung[ANSWER_TOKENS] for rung in family["rungs"])]


def _scope(contents: Contents, lang: str) -> str:
    models = families_of_models(contents)
    rungs = [rung for family in models for rung in family["rungs"]]
    sizes = sorted(size for rung in rungs if (size := rung["params_non_embedding"] or rung["params_total"]))
    span = f"{amount(sizes[0])}–{amount(sizes[-1])}" if sizes else ""
    ways = len({(curve["s"], curve["k"]) for curve in contents.curves})
    answers = sum(source.manifest.get("totals", {}).get("examples", 0) for source in contents.sources)
    scores = sum(len(curve["y"]) for curve in contents.curves)
    names = [family["name"] for family in models]
    if lang == "zh":
        who = f"{len(rungs)} 个模型（{'、'.join(names[:6])}）" if names else f"{len(rungs)} 个模型"
        size = f"，规模 {span} 参数" if span else ""
        count = f"{answers:,} 个回答" if answers else f"{scores:,} 个已发表得分"
        return f"{who}{size}，{len(contents.tasks)} 项能力，{ways} 种提问方式，共 {count}。"
    who = f"{_plural(len(rungs), 'model')} of {_plural(len(names), 'family', 'families')} ({', '.join(names[:6])})"
    size = f", {span} parameters," if span else ""
    what = f"{_plural(len(contents.tasks), 'ability', 'abilities')} asked in {_plural(ways, 'way')}"
    return f"{who}{size} on {what}: {f'{answers:,} answers' if answers else f'{scores:,} published scores'}."


def _unread(contents: Contents, words: Mapping[str, str], lang: str) -> list[Part]:
    """In how many generated texts no answer was found, and in which cells most of them; nothing where all were."""
    cells = [cell for source in contents.sources for cell in source.manifest.get("cells", []) if cell.get("texts")]
    texts, lost = sum(cell["texts"] for cell in cells), sum(cell["unextracted"] for cell in cells)
    if not lost:
        return []
    worst = sorted((cell for cell in cells if cell["unextracted"]), key=lambda cell: -cell["unextracted"])[:_CELLS]
    where: list[Part] = []
    for cell in worst:
        index = contents.refs.index(cell["task"]) if cell["task"] in contents.refs else 0
        way, rung = words.get(cell["strategy"], visible(cell["strategy"], 80)), visible(cell["rung"], 120)
        where += [words["list"]] if where else []
        where.append({"task": index, "text": contents.tasks[index]["name"]})
        counts = f"{cell['unextracted']:,}/{cell['texts']:,}"
        where.append(f"（{way}，{rung}：{counts}）" if lang == "zh" else f" ({way}, {rung}: {counts})")
    cut = _cut_off(sum(cell.get("censored", 0) for cell in cells), lang)
    if lang == "zh":
        return [
            f"{texts:,} 段生成文本中有 {lost:,} 段（{lost / texts:.1%}）未能抽取出答案；"
            "凡按文本计分处，均计为错误。最多的是",
            *where,
            f"。{cut}",
        ]
    return [
        f"No answer was found in {lost:,} of {texts:,} generated texts ({lost / texts:.1%}); where the text is "
        "scored, these count as wrong. Most are in ",
        *where,
        f".{cut}",
    ]


def _cut_off(count: int, lang: str) -> str:
    """How many of the answers not found a limit had cut off; "" for none."""
    if not count:
        return ""
    if lang == "zh":
        return f"其中 {count:,} 段在说出答案之前即因长度上限被截断，图中以两个界（全错、全对）标出。"
    return f" A limit cut off {count:,} of them before an answer; charts show both bounds, all wrong and all right."


def _plural(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def _listed(curves: Sequence[Mapping[str, Any]], contents: Contents, words: Mapping[str, str], lang: str) -> list[Part]:
    """Each ability once, as a link, with the ways and families it holds for and where it begins."""
    comma, stop = ("、", "。") if lang == "zh" else (", ", ".")
    of_task: dict[int, list[Mapping[str, object]]] = {}
    for curve in curves:
        of_task.setdefault(curve["t"], []).append(curve)
    parts: list[Part] = []
    for task, members in list(of_task.items())[:_NAMED]:
        if parts:
            parts.append(comma)
        parts.append({"task": task, "text": contents.tasks[task]["name"]})
        if aside := _aside(task, members, contents, words, lang):
            parts.append(f"（{aside}）" if lang == "zh" else f" ({aside})")
    rest = len(of_task) - _NAMED
    if rest > 0:
        parts.append(f"，以及另外 {rest} 项" if lang == "zh" else f", and {rest} more")
    return [*parts, stop]


def _aside(
    task: int, members: Sequence[Mapping[str, Any]], contents: Contents, words: Mapping[str, str], lang: str
) -> str:
    """For which ways of asking and families it holds (unless for all of the task's), and where it begins."""
    comma = "，" if lang == "zh" else ", "
    said = []
    every = [curve for curve in contents.curves if curve["p"] and curve["t"] == task]
    if len(members) < len(every):
        of_strategy: dict[str, set[int]] = {}
        for curve in members:
            of_strategy.setdefault(curve["s"], set()).add(curve["k"])
        single = len({(curve["s"], curve["k"]) for curve in every}) == 1
        for strategy, shots in ({} if single else of_strategy).items():
            asked = {curve["k"] for curve in every if curve["s"] == strategy}
            some = "" if shots == asked else " " + words["shots"].format(k="/".join(map(str, sorted(shots))))
            said.append(words.get(strategy, strategy) + some)
    families = {curve["f"] for curve in members}
    if len(families) < len({curve["f"] for curve in every}):
        said += [contents.families[family]["name"] for family in sorted(families)]
    starts = [curve["v"]["threshold"] for curve in members if curve["v"].get("threshold") is not None]
    judged = all(curve["v"]["shape"] != "inconclusive" for curve in members)  # no start of what may be no rise
    if judged and starts and all(curve["v"].get("axis", "").startswith("params") for curve in members):
        first = min(
            (curve for curve in members if curve["v"].get("threshold") is not None),
            key=lambda curve: float(curve["v"]["threshold"]),
        )
        said.append(_begins(first, contents, lang))
    if len(members) == 1 and (turn := _lowest(members[0], contents, lang)):
        said.append(turn)
    if any("outlier-driven" in curve["v"].get("flags", ()) for curve in members):
        said.append(words["outlier-driven"])
    return comma.join(said)


def _lowest(curve: Mapping[str, Any], contents: Contents, lang: str) -> str:
    """Of a fall whose worst score is not the last one, where that is and what comes at last; else ""."""
    kept = [at for at, y in enumerate(curve["y"]) if y is not None and at not in curve.get("o", ())]
    if curve["v"]["shape"] != "inverse" or not kept:
        return ""
    worst = (min if curve["up"] else max)(reversed(kept), key=lambda at: curve["y"][at])
    if worst == kept[-1]:
        return ""
    low, last = minus(f"{curve['y'][worst]:.2f}"), minus(f"{curve['y'][kept[-1]]:.2f}")
    rung = contents.families[curve["f"]]["rungs"][curve["r"][worst]]["name"]
    if lang == "zh":
        return f"{rung} 最差，为 {low}，最后略有回升，为 {last}"
    return f"worst at {rung}, {low}, and a little better again at the end, {last}"


def _begins(curve: Mapping[str, Any], contents: Contents, lang: str) -> str:
    """The two models between which a curve begins to rise, or the size where no models are known for it."""
    rungs = contents.families[curve["f"]]["rungs"]
    names = [str(rungs[curve["r"][at]]["name"]) for at in curve.get("st", ())]
    jump = (
        [str(rungs[curve["r"][at]]["name"]) for at in curve.get("b", ())] if curve["v"]["shape"] == "emergent" else []
    )
    if len(names) == len(jump) == 2 and names != jump:
        a, b, c, d = *names, *jump
        if lang == "zh":
            return f"始于 {a} 与 {b} 之间，在 {c} 与 {d} 之间突增"
        return f"begins between {a} and {b}, jumps between {c} and {d}"
    if len(names) != 2:
        size = amount(curve["v"]["threshold"])
        return f"始于约 {size}" if lang == "zh" else f"begins near {size}"
    return f"始于 {names[0]} 与 {names[1]} 之间" if lang == "zh" else f"begins between {names[0]} and {names[1]}"


def _artefacts(jumps: Sequence[Mapping[str, Any]], lang: str) -> str:
    status = [curve["v"].get("artefact", "untested") for curve in jumps]
    counts = {name: status.count(name) for name in ("metric-robust", "metric-artefact", "undetermined", "untested")}
    robust, artefacts, undetermined, untested = counts.values()
    if lang == "zh":
        return (
            f"在 {len(jumps)} 条跃升或晚期起步的曲线中，{robust} 条对指标稳健，{artefacts} 条是指标假象，"
            f"{undetermined} 条未定，{untested} 条未检验。"
        )
    return (
        f"Of {_plural(len(jumps), 'curve that jumps or starts', 'curves that jump or start')} late: "
        f"{robust} confirmed by finer scores, "
        f"{artefacts} made by the metric alone, {undetermined} undetermined, {untested} untested."
    )
