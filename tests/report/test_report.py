"""The report as a file: what it holds, what it refuses, and that nothing in it can do harm."""

import json
import re
import shutil
from pathlib import Path

import pytest
from synthetic import make_run, unpacked

from scalecurve.errors import UserError
from scalecurve.report import write_report
from scalecurve.report.examples import clearest


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
    from scalecurve.report.claim_sentences import CLAIMS, REFUTE
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


def test_texts_without_an_answer_are_told_with_the_cells_that_have_most(run: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    shutil.copytree(run, lost)
    manifest = json.loads((lost / "manifest.json").read_text())
    counts = iter((9, 3, 12, 5))
    for cell in manifest["cells"]:
        cell |= {"texts": 30, "unextracted": next(counts, 0)}
    (lost / "manifest.json").write_text(json.dumps(manifest))
    html = re.sub(r"<[^>]+>", "", write_report([lost], tmp_path / "report.html").read_text())
    said = html[html.index("No answer was found in 29 of ") :][:600]
    assert re.findall(r": (\d+)/30\)", said) == ["12", "9", "5"]
    assert "its text, the answer counts as wrong" in html
