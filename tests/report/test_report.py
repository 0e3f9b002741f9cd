"""The report as a file: what it holds, what it refuses, and that nothing in it can do harm."""

import base64
import gzip
import json
import re
import shutil
from pathlib import Path

import pytest
import synthetic
from command_line import Call
from synthetic import make_run, rungs

from scalecurve.errors import UserError
from scalecurve.report import write_report
from scalecurve.report.examples import clearest


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("report") / "run", tasks=6, rung_count=5, examples=30, evil=True)


def unpacked(html: str, name: str) -> dict:
    text = re.search(rf'<script type="application/gzip" id="{name}">([^<]*)</script>', html)[1]
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_one_file_holds_every_curve(run: Path, tmp_path: Path) -> None:
    html = write_report([run], tmp_path / "deep" / "report.html").read_text()
    data = unpacked(html, "data")
    assert len(data["tasks"]) == 6
    assert len(data["curves"]) == 2 * (4 * 3 + 2 * 4)  # two strategies; two tasks of six are multiple choice
    curve = next(c for c in data["curves"] if c["t"] == 1 and c["m"] == "exact_match" and c["s"] == "direct")
    assert curve["p"]
    assert len(curve["y"]) == len(curve["e"]) == 5
    assert curve["y"][-1] > 0.6 > curve["y"][0]
    assert curve["v"]["shape"] in ("smooth", "inconclusive")


def test_curves_say_from_which_model_on_they_are_above_chance(run: Path, tmp_path: Path) -> None:
    curves = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")["curves"]
    bounded = [curve for curve in curves if curve["c"] is not None and curve["up"]]
    assert {curve["a"] for curve in bounded} >= {None, 0, 1}
    for curve in bounded:
        above = [y > curve["c"] + 3 * max(e, 1 / n) for y, e, n in zip(curve["y"], curve["e"], curve["n"], strict=True)]
        last_below = max((at for at, one in enumerate(above) if not one), default=-1)
        assert curve["a"] == (last_below + 1 if above[-1] else None)


def test_nothing_is_loaded_and_only_own_scripts_may_run(run: Path, tmp_path: Path) -> None:
    html = write_report([run], tmp_path / "report.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src &#39;none&#39;") or policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert html.count("<script>") == 2  # Vega and the page's own
    assert "window.hacked" not in re.sub(r"&lt;.*?&gt;", "", html)


def test_answers_of_every_rung_lie_side_by_side(run: Path, tmp_path: Path) -> None:
    html = write_report([run], tmp_path / "report.html").read_text()
    book = unpacked(html, "examples-1")
    assert book["all"] == 30
    assert len(book["q"]) == 20 + book["x"]
    assert {arm["s"] for arm in book["arms"]} == {"direct", "chain_of_thought"}
    arm = book["arms"][0]
    assert len(arm["a"]) == 5
    prompt, score, text, response, options, target, error = arm["a"][4][0]
    assert book["p"][prompt].startswith("\nQ: Is item 0")
    assert score in (0, 1)
    assert (response == "word0") == (score == 1)
    assert text.strip(" .") == response
    assert (options, error) == ([], "")
    assert target < 0
    choice = unpacked(html, "examples-2")
    assert choice["q"][0]["options"] == ["yes", "no", "maybe", "never"]
    assert choice["q"][0]["worth"] == [1, 0, 0, 0]
    assert len(choice["arms"][0]["a"][0][0][4]) == 4


def test_every_question_that_changed_is_in_the_page_and_all_are_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", tasks=2, rung_count=5, examples=60)
    html = write_report([run], tmp_path / "report.html").read_text()
    data, book = unpacked(html, "data"), unpacked(html, "examples-0")
    curve = clearest([c for c in data["curves"] if c["p"] and c["t"] == 0])
    arm = next(arm for arm in book["arms"] if arm["s"] == curve["s"])
    assert book["all"] == 60
    assert [len(letters) for letters in arm["w"]] == [60] * 5
    assert [letters.count("1") / 60 for letters in arm["w"]] == pytest.approx(curve["y"], abs=1e-3)
    low, high = curve["b"]
    changed = sum(a != b for a, b in zip(arm["w"][low], arm["w"][high], strict=True))
    shown = [(a[1], b[1]) for a, b in zip(arm["a"][low], arm["a"][high], strict=True)]
    assert changed == sum(a != b for a, b in shown) > book["x"] > 0
    assert len(book["q"]) == 20 + book["x"]


def test_texts_are_shown_harmlessly(run: Path, tmp_path: Path) -> None:
    html = write_report([run], tmp_path / "report.html").read_text()
    everything = html + json.dumps(unpacked(html, "examples-0"), ensure_ascii=False)
    for forbidden in ("\x00", "\x1b", "\u202e", "\u2066"):
        assert forbidden not in everything
    assert "⟨U+202E⟩" in everything
    assert "⟨U+001B⟩" in everything


def test_chinese_throughout(run: Path, tmp_path: Path) -> None:
    html = write_report([run], tmp_path / "report.html", lang="zh").read_text()
    assert '<html lang="zh-Hans">' in html
    visible = re.sub(r"<(script|style)[^>]*>.*?</\1>|<[^>]+>", " ", html, flags=re.S)
    for english in ("Overview", "Abilities", "abilities asked", "grew", "answers", "Versions", "Read with care"):
        assert english not in visible
    for curve in unpacked(html, "data")["curves"]:
        if curve["p"]:
            verdict = curve["v"]
            said = [verdict["claim"], *verdict["refute"], *verdict.get("evidence", []), *verdict.get("caveats", [])]
            assert all(re.search("[\u4e00-\u9fff]", sentence) for sentence in said), said


def test_a_chinese_page_has_no_latin_word_but_names_and_units(run: Path, tmp_path: Path) -> None:
    """Every word the page can say, and every sentence made of a verdict; examples and tasks' own texts aside."""
    from scalecurve.analysis.verdicts.reasons import sentences
    from scalecurve.report.claims import CLAIMS, REFUTE
    from scalecurve.report.glossary import caveats, glossary
    from scalecurve.report.words import words

    html = write_report([run], tmp_path / "report.html", lang="zh").read_text()
    data = unpacked(html, "data")
    names = {rung["name"] for family in data["families"] for rung in family["rungs"]}
    names |= {task[key] for task in data["tasks"] for key in ("name", "ref", "about", "parent")}
    names |= {word for task in data["tasks"] for word in task["keywords"]} | {"synthetic", "syn", "lab"}
    body = re.sub(r"<(script|style|pre)[^>]*>.*?</\1>|<head>.*?</head>|<code.*?</code>", " ", html, flags=re.S)
    body = re.sub(r'<(?:p|td|li|span)[^>]*class="(?:mono|exact)[^>]*>.*?</(?:p|td|li|span)>', " ", body, flags=re.S)
    said = [re.sub(r"<[^>]+>", " ", body), *words("zh").values(), *caveats("zh"), *glossary("zh").values()]
    said += [text for _, text in (*CLAIMS.values(), *REFUTE.values(), *sentences().values())]
    for curve in data["curves"]:
        if curve["p"]:
            said += [
                curve["v"]["claim"],
                *curve["v"].get("evidence", []),
                *curve["v"]["refute"],
                *curve["v"].get("caveats", []),
                *curve["v"].get("numbers", []),
            ]
    screen = data["screen"]
    said += [screen["headline"], screen["doubt"], screen["kicker"], *(card["title"] for card in screen["cards"])]
    for text in said:
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, " ")
        left = re.sub(r"\{[^}]*\}|`[^`]*`|⟨U\+\w+⟩|\d[\d.,]*[kMBTPE]?|syn-\w+", " ", text)
        foreign = set(re.findall(r"[A-Za-z][A-Za-z-]+", left)) - KNOWN_IN_CHINESE
        assert not foreign, (foreign, text[:200])


KNOWN_IN_CHINESE = {
    "scalecurve", "FLOPs", "AUROC", "BLEU", "BIG-bench", "JavaScript", "nats", "Bonferroni", "UTC", "python", "SVG",
    "PNG", "CSV", "polars", "torch",
}  # fmt: skip
"""Names and units that Chinese papers write in Latin letters."""


def test_a_claim_says_what_is_seen_what_would_refute_it_and_what_is_for_experts(run: Path, tmp_path: Path) -> None:
    data = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")
    for curve in data["curves"]:
        if not curve["p"]:
            assert "reasons" not in (curve["v"] or {})
            continue
        verdict = curve["v"]
        assert verdict["claim"].endswith(".")
        assert verdict["refute"]
        assert verdict["strength"] in ("firm", "likely", "open")
        assert not any("trained anew" in text for text in verdict.get("evidence", [])), "numbers are folded"
        low, high = curve["b"]
        assert 0 <= low < high < len(curve["r"])
    fall = next(c for c in data["curves"] if c["p"] and c["v"]["shape"] == "inverse")
    assert "Gets worse" in fall["v"]["claim"]
    assert re.match(r"A larger model that is better than syn-\w+ by more than 0\.\d+: three", fall["v"]["refute"][0])


def test_what_would_refute_a_verdict_has_not_been_seen_yet(run: Path, tmp_path: Path) -> None:
    curves = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")["curves"]
    told = [c for c in curves if c["p"] and c["v"]["shape"] in ("smooth", "flat")]
    assert {c["v"]["shape"] for c in told} == {"smooth", "flat"}
    for curve in told:
        stated = float(re.search(r"by more than ([\d.]+\d)", curve["v"]["refute"][0])[1])
        fallen = max(max(curve["y"][: at + 1]) - y for at, y in enumerate(curve["y"]))
        assert stated >= (fallen if curve["v"]["shape"] == "smooth" else max(curve["y"]) - min(curve["y"])) - 0.005


def test_claim_evidence_and_parts_count_the_same_models(run: Path, tmp_path: Path) -> None:
    data = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")
    rises = [c for c in data["curves"] if c["p"] and "g" in c]
    assert rises
    for curve in rises:
        names = [data["families"][curve["f"]]["rungs"][rung]["name"] for rung in curve["r"]]
        counted = next(text for text in curve["v"]["evidence"] if text.startswith("The first "))
        assert int(counted.split()[2]) == curve["g"], "no model is left out here"
        if curve["v"]["shape"] == "late":
            assert names[curve["g"] - 1] in curve["v"]["claim"]
            assert curve["v"]["claim"].startswith("At chance") == ("are at chance" in counted)


def test_a_fall_says_how_many_wrong_answers_repeat_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(synthetic.SHAPES, "flat", synthetic.SHAPES["falling"])  # the third task, of multiple choice
    for belief in (True, False):
        run = make_run(tmp_path / f"{belief}", tasks=3, rung_count=5, examples=60, belief=belief)
        data = unpacked(write_report([run], tmp_path / f"{belief}.html").read_text(), "data")
        fall = next(c for c in data["curves"] if c["p"] and c["t"] == 2 and c["s"] == "direct")
        assert fall["v"]["shape"] == "inverse"
        wrong = round(60 * (1 - fall["y"][-1]))
        said = f"Of {wrong} wrong answers of syn-838k, {wrong} are the option that the question itself names."
        assert (said in fall["v"]["evidence"]) == belief


def with_reasons(run: Path, out: Path, old: str, new: list[list]) -> Path:
    """``run`` with reasons of the code ``old`` replaced, everywhere."""
    import polars as pl

    shutil.copytree(run, out)
    table = pl.read_parquet(out / "verdicts.parquet")
    rows = [
        [text for one in own for text in ([json.dumps(more) for more in new] if json.loads(one)[0] == old else [one])]
        for own in table["reasons"].to_list()
    ]
    table.with_columns(reasons=pl.Series(rows, dtype=pl.List(pl.String))).write_parquet(out / "verdicts.parquet")
    return out


def test_a_floor_off_chance_is_not_called_chance(run: Path, tmp_path: Path) -> None:
    raised = with_reasons(run, tmp_path / "raised", "floor", [["floor-near", 2, 5, 0.04, 0.0]])
    for lang, start, chance in (
        ("en", "On a floor of 0.04 up to syn-25k", "chance"),
        ("zh", "syn-25k 及更小的模型处于约 0.04 的底部", "随机"),
    ):
        html = write_report([raised], tmp_path / f"{lang}.html", lang=lang).read_text()
        late = [c["v"]["claim"] for c in unpacked(html, "data")["curves"] if c["p"] and c["v"]["shape"] == "late"]
        assert late
        assert all(claim.startswith(start) and chance not in claim for claim in late)


def test_two_models_that_may_be_odd_are_both_in_the_page(run: Path, tmp_path: Path) -> None:
    odd = ["one-model", "syn-81k", 0.9, 0.5, "late"], ["one-model-or", "syn-262k", 0.2], ["floor", 2, 4]
    html = write_report([with_reasons(run, tmp_path / "odd", "floor", list(odd))], tmp_path / "r.html").read_text()
    told = [c for c in unpacked(html, "data")["curves"] if c["p"] and c["o"] and "g" in c]
    assert told
    for curve in told:
        assert (curve["o"], curve["ov"], curve["g"], curve["b"]) == ([2], [3], 3, [1, 3])
        assert any(text.startswith("Leaving out syn-262k") for text in curve["v"]["caveats"])


def test_what_would_refute_is_one_result_and_caveats_stand_apart(run: Path, tmp_path: Path) -> None:
    told = ["companion-fluency", "target_logprob"], ["one-companion"], ["floor", 2, 4]
    for lang, fluency in (("en", "is not compared: it rises with fluency"), ("zh", "它会随流畅度上升")):
        out = tmp_path / lang
        html = write_report([with_reasons(run, out, "floor", list(told))], tmp_path / f"{lang}.html", lang=lang)
        verdicts = [c["v"] for c in unpacked(html.read_text(), "data")["curves"] if c["p"] and c["v"]]
        assert {len(verdict["refute"]) for verdict in verdicts} == {1}
        cautious = [v for v in verdicts if any(fluency in text for text in v.get("caveats", []))]
        assert cautious
        for verdict in cautious:
            assert not any(fluency in text for text in (*verdict["refute"], *verdict["evidence"]))


def test_the_doubt_names_both_models_where_either_may_be_odd(run: Path, tmp_path: Path) -> None:
    """Told curve by curve: where one curve has a rival and another has none, each has its own."""
    import polars as pl

    one, rival = json.dumps(["one-model", "syn-81k", 0.9, 0.5, "late"]), json.dumps(["one-model-or", "syn-262k", 0.2])
    for cases, lang, said in (
        ([[one, rival]], "en", "syn-81k or syn-262k stands apart on sudden 0; look before believing the shape."),
        ([[one, rival]], "zh", "syn-81k 或 syn-262k在sudden 0中与众不同；请先查看，再相信曲线的形状。"),
        ([[one]], "en", "syn-81k stands apart on sudden 0; look before believing the shape."),
        ([[one, rival], [one]], "en", "syn-81k or syn-262k stands apart on sudden 0, and syn-81k on steady 1; look "),
    ):
        odd = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        shutil.copytree(run, odd)
        table = pl.read_parquet(odd / "verdicts.parquet")
        tasks = ["lab:sudden_0", "lab:steady_1"][: len(cases)]
        rows = [
            row | {"shape": "late", "flags": ["outlier-driven"], "reasons": cases[tasks.index(row["task"])]}
            if row["task"] in tasks and row["strategy"] == "direct"
            else row | {"shape": "smooth", "flags": []}
            for row in table.to_dicts()
        ]
        pl.DataFrame(rows, schema=table.schema).write_parquet(odd / "verdicts.parquet")
        html = write_report([odd], tmp_path / f"{odd.name}.html", lang=lang).read_text()
        doubt = unpacked(html, "data")["screen"]["doubt"]
        assert doubt.startswith(said)


def test_a_rise_whose_finer_scores_lack_a_model_is_untested_and_the_word_covers_it(run: Path, tmp_path: Path) -> None:
    import polars as pl

    from scalecurve.analysis.verdicts.run import judge_run
    from scalecurve.report.glossary import glossary
    from scalecurve.store import RunDirectory

    holed = tmp_path / "holed"
    shutil.copytree(run, holed)
    lacking = (pl.col("metric") != "exact_match") & (pl.col("rung") == "syn-81k")
    pl.read_parquet(holed / "curves.parquet").filter(~lacking).write_parquet(holed / "curves.parquet")
    (holed / "verdicts.parquet").unlink()
    judge_run(RunDirectory(holed))
    curves = unpacked(write_report([holed], tmp_path / "r.html").read_text(), "data")["curves"]
    rise = next(c for c in curves if c["p"] and c["t"] == 0 and c["s"] == "direct")
    assert rise["v"]["artefact"] == "untested"
    assert any(c["m"] == "target_logprob" and c["t"] == 0 for c in curves), "a finer score was recorded"
    assert "or none that can be compared here" in glossary("en")["untested"]
    assert "没有可在此比较的" in glossary("zh")["untested"]


def test_the_glossary_states_the_rule_of_the_metric_check() -> None:
    """What the words say of a pace is where the finding turns: half of the overall pace, and three standard errors."""
    from scalecurve.analysis.verdicts.artefact import CLEAR, STEADY, CompanionFinding
    from scalecurve.report.glossary import glossary

    assert (CLEAR, STEADY) == (3.0, 0.5)
    said = {lang: glossary(lang) for lang in ("en", "zh")}
    for pace, kind in ((0.43, "metric-robust"), (0.5, "metric-artefact")):  # improving before, with a bend at the rise
        assert CompanionFinding("brier", 4.0, pace, bends=True, near=True).says == kind
        assert "half of their overall pace" in said["en"][kind]
        assert "总体速度的一半" in said["zh"][kind]
    assert "had not improved before by as much as half" in said["en"]["metric-robust"]
    assert CompanionFinding("brier", 2.9, 0.9, bends=True, near=True).says == "undetermined"
    assert "three standard errors" in said["en"]["metric-artefact"]


def test_pairs_of_models_have_intervals_on_the_same_questions(run: Path, tmp_path: Path) -> None:
    import numpy as np
    import polars as pl

    from scalecurve.analysis.compare.paired import paired_difference

    data = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")
    curve = next(c for c in data["curves"] if c["p"] and c["t"] == 1 and c["s"] == "direct")
    assert len(curve["d"]) == 5 * 4 // 2
    own = pl.col("task") == data["tasks"][1]["ref"], pl.col("strategy") == "direct", pl.col("metric") == curve["m"]
    rungs = [data["families"][0]["rungs"][place]["name"] for place in curve["r"]]
    scores = pl.read_parquet(run / "scores.parquet").filter(*own).pivot("rung", index="example_id", values="value")
    found = paired_difference(np.asarray(scores[rungs[4]]), np.asarray(scores[rungs[1]]))
    assert curve["d"][4 + 2] == pytest.approx([found.low, found.high], rel=1e-2)  # the third of model 1: with model 4
    assert curve["cost"] == [10 / 30, 5 / 30] or curve["cost"] == pytest.approx([0.333, 0.167], abs=1e-3)


def test_without_verdicts_the_report_says_so(run: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / "verdicts.parquet").unlink()
    html = write_report([bare], tmp_path / "report.html").read_text()
    assert "Verdicts are not computed" in html


def test_several_runs_stand_side_by_side(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", tasks=2, rung_count=4, examples=12, name="second")
    data = unpacked(write_report([run, other], tmp_path / "report.html").read_text(), "data")
    assert [family["name"] for family in data["families"]] == ["syn · synthetic", "syn · second"]
    assert {curve["f"] for curve in data["curves"] if curve["t"] == 1} == {0, 1}


def test_bad_input_is_refused_in_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--lang: 'fr'.*en or zh"):
        write_report([run], tmp_path / "r.html", lang="fr")
    with pytest.raises(UserError, match="no run directory given"):
        write_report([], tmp_path / "r.html")
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    (broken / "curves.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"curves\.parquet: cannot be read"):
        write_report([broken], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_the_first_screen_states_a_finding_and_a_doubt(run: Path, tmp_path: Path) -> None:
    screen = unpacked(write_report([run], tmp_path / "report.html").read_text(), "data")["screen"]
    assert screen["kicker"].startswith("5 models, ")
    assert screen["headline"].endswith(".")
    assert screen["doubt"]
    data = unpacked((tmp_path / "report.html").read_text(), "data")
    curves, data_tasks = data["curves"], data["tasks"]
    hero = [curves[index] for index in screen["hero"]]
    assert len({(curve["t"], curve["m"]) for curve in hero}) == 1
    assert 1 <= len(screen["cards"]) <= 6
    judged = [curve for curve in curves if curve["p"] and curve["v"]]
    assert sum(int(card["count"].split(" ")[0]) for card in screen["cards"]) <= len(judged)
    for card in screen["cards"]:
        counted = [c for c in judged if c["v"]["shape"] in card["shapes"]]
        assert len(counted) == int(card["count"].split(" ")[0])
        assert [name for name, _ in card["names"]] == [data_tasks[task]["name"] for _, task in card["names"]]
    assert {card["strength"] for card in screen["cards"]} <= {"firm", "likely", "open"}
    zh = unpacked(write_report([run], tmp_path / "zh.html", lang="zh").read_text(), "data")["screen"]
    for text in (zh["headline"], zh["doubt"], *(card["title"] for card in zh["cards"])):
        assert re.search("[\u4e00-\u9fff]", text), text


def test_what_is_missing_stands_on_the_first_screen(run: Path, tmp_path: Path) -> None:
    import polars as pl

    holed = tmp_path / "holed"
    shutil.copytree(run, holed)
    curves = pl.read_parquet(holed / "curves.parquet")
    first = pl.int_range(pl.len()) == 0
    curves.with_columns(
        failed=pl.when(first).then(7).otherwise("failed"), preferred=pl.when(first).then(True).otherwise("preferred")
    ).write_parquet(holed / "curves.parquet")
    html = write_report([holed], tmp_path / "report.html").read_text()
    assert unpacked(html, "data")["screen"]["trouble"].startswith("7 without an answer")
    assert 'class="chip amber"' in html
    assert not unpacked(write_report([run], tmp_path / "whole.html").read_text(), "data")["screen"]["trouble"]


def test_a_comparison_is_a_page_with_the_questions_won_and_lost(tmp_path: Path, call: Call) -> None:
    run = make_run(tmp_path / "run", tasks=3, rung_count=5, examples=60, evil=True)
    out = tmp_path / "pages" / "both.html"
    small, large = (rung.name for rung in (rungs(5)[0], rungs(5)[-1]))
    said = call("compare", f"{large}:direct", f"{small}:direct", "--run", str(run), "--html", str(out))
    assert said.code == 0, said.err
    assert said.out.endswith(f"page: {out}\n")
    page = out.read_text("utf-8")
    assert f"{large}:direct is surely better than {small}:direct on 2 of 3" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page, "a hostile question is shown, not run"
    found = json.loads(call("compare", f"{large}:direct", f"{small}:direct", "--run", str(run), "--json").out)
    sudden = next(row for row in found["rows"] if "sudden" in row["task"])
    assert f"{sudden['wins']}, {sudden['losses']}" in page
    assert f"Only A got ({sudden['wins']})" in page
    assert page.count("A said <b") >= 20
