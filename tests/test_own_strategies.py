"""Strategies of the user's own: run only when allowed, recorded, computed anew when edited, their errors named."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from scalecurve.errors import UserError
from scalecurve.pipeline import rescore, run_study
from scalecurve.report.data import gather
from scalecurve.report.summary import sentences
from scalecurve.report.words import words
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.strategies import find_way
from scalecurve.study.study import Study, load_study

CODE = '''
from __future__ import annotations

from dataclasses import dataclass

from scalecurve import Answer, Request
from scalecurve.strategies import build_prompt, get_strategy


@dataclass
class Note:
    text: str


def socratic(question):
    """Asks for a thought first, then for the answer."""
    query = question.query
    prompt = build_prompt(question.task, query.example, query.shots)
    (thought,) = yield (Request(prompt + "Hm,", max_tokens=8),)
    note = Note(prompt + "Hm," + thought.texts[0] + " So:")
    (said,) = yield (Request(note.text, max_tokens=8),)
    return Answer(query.example.id, prompt, text=said.texts[0], response=said.texts[0].strip() or None)


def shouted(question):
    answer = yield from get_strategy("direct")(question)
    return answer


def plain(question):
    return None


def nothing(question):
    yield (Request("x", max_tokens=1),)


def stranger(question):
    yield (Request("x", max_tokens=1),)
    return Answer("somebody", "x")


def single(question):
    yield Request("x", max_tokens=1)


def number(question):
    yield (Request("x", max_tokens=1),)
    return Answer(question.query.example.id, "x", text="1", response=1)


def two(question, more):
    yield ()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a study file and a strategy file; the working directory is another one."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.py").write_text(CODE)
    before = Path.cwd()
    os.chdir(tmp_path)
    yield home
    os.chdir(before)


def study_of(folder: Path, *strategies: str, more: str = "") -> Study:
    models = "".join(
        f'[[models]]\nname = "m{at}"\nbackend = "mock"\nlocation = "m{at}"\nparams_non_embedding = {10**at}\n'
        for at in (3, 4)
    )
    listed = ", ".join(f'"{name}"' for name in strategies)
    path = folder / "own.toml"
    path.write_text(f'tasks = ["lab:rebus:title"]\nstrategies = [{listed}]\nlimit = 12\npart_size = 4\n{more}{models}')
    return load_study(path)


def files(run: RunDirectory) -> dict[str, bytes]:
    paths = [*run.outputs.rglob("*.parquet"), run.scores, run.curves]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in paths}


def test_code_runs_only_when_it_is_allowed(folder: Path) -> None:
    (folder / "mine.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n{CODE}")
    study = study_of(folder, "direct", "mine.py:socratic")
    with pytest.raises(UserError, match=r"own\.toml: strategies: .*mine\.py:socratic is code; add --allow-code"):
        run_study(study, folder / "run")
    assert not (folder / "ran").exists()
    assert not (folder / "run").exists()


def test_its_answers_are_those_of_its_code(folder: Path) -> None:
    run, outcome = run_study(study_of(folder, "direct", "mine.py:socratic", "mine.py:shouted"), "run", allow_code=True)
    assert outcome.complete
    outputs = read_outputs(run).collect()
    assert set(outputs["strategy"]) == {"direct", "mine.py:socratic", "mine.py:shouted"}
    columns = ["rung", "example_id", "prompt", "text", "response"]
    direct, shouted = (outputs.filter(strategy=name).select(columns) for name in ("direct", "mine.py:shouted"))
    assert direct.equals(shouted)
    (record, _) = run.read_manifest()["strategies"]
    assert record["name"] == "mine.py:socratic"
    assert record["path"] == f"{folder / 'mine.py'}"
    assert record["sha256"] == hashlib.sha256(CODE.encode()).hexdigest()
    assert record["source"] == CODE
    assert "mine.py:socratic" in run.report.read_text() or run.report.exists()
    (folder / "mine.py").unlink()
    rescore("run")  # what is derived needs no code


def test_a_run_goes_on_and_an_edited_file_is_computed_anew(folder: Path) -> None:
    study = study_of(folder, "direct", "mine.py:socratic")
    run, first = run_study(study, "run", allow_code=True)
    whole = files(run)
    assert first.computed == 2 * 2 * 12
    removed = sorted(run.outputs.glob("*m3*socratic*/part-00001-*.parquet"))
    for path in removed:
        path.unlink()
    _, second = run_study(study, "run", allow_code=True)
    assert len(removed) == 1
    assert second.computed == 2 * 4  # the part's stretch, in both arms
    assert files(run) == whole
    (folder / "mine.py").write_text(CODE.replace("Hm,", "Well,"))
    run, third = run_study(study, "run", allow_code=True)
    assert third.computed == 2 * 2 * 12
    prompts = read_outputs(run).filter(pl.col("strategy") == "mine.py:socratic").collect()
    assert prompts.height == 2 * 12
    assert files(run) != whole
    with pytest.raises(UserError, match="is code; add --allow-code"):
        run_study(study, "run")


@pytest.mark.slow
def test_processes_run_the_same_code(folder: Path) -> None:
    study = study_of(folder, "direct", "mine.py:socratic")
    one, _ = run_study(study, "one", allow_code=True, workers=1)
    two, outcome = run_study(study, "two", allow_code=True, workers=2)
    assert outcome.complete
    assert files(one) == files(two)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("nothing", "the strategy returned NoneType; it must return an Answer"),
        ("stranger", "the strategy returned the Answer of example 'somebody'; use question.query.example.id"),
        ("single", "the strategy yielded Request; it must yield a tuple of Request"),
        ("number", "the strategy returned an Answer whose text or response is no text"),
    ],
)
def test_what_a_strategy_does_wrong_is_the_answers_error(folder: Path, function: str, said: str) -> None:
    _, outcome = run_study(study_of(folder, "direct", f"mine.py:{function}"), "run", allow_code=True)
    assert not outcome.complete
    assert outcome.first_error == said
    assert {key.split("~")[3] for key, _ in outcome.failed_cells} == {f"mine.py@{function}"}


@pytest.mark.parametrize(
    ("ref", "code", "said"),
    [
        ("gone.py:f", None, "gone.py: no such file; paths are relative to the study file"),
        ("mine.py:socratc", CODE, "no function 'socratc'; did you mean socratic?"),
        ("mine.py:zzz", "def a(question):\n    yield ()\n", "no function 'zzz'; it defines a"),
        ("mine.py:plain", CODE, "plain is no generator function; a strategy yields tuples of Request"),
        ("mine.py:two", CODE, "two must take one argument, the question"),
        ("mine.py:f", "import numpyy\n", "fails when it is imported: ModuleNotFoundError: No module named 'numpyy'"),
        ("mine.py:f", "raise SystemExit\n", "fails when it is imported: SystemExit"),
        ("mine.py:f", "x = 1\ndef f(:\n", "mine.py:2: not valid Python"),
        ("mine.py:f", 'x = "\0"\n', "not valid Python: source code string cannot contain null bytes"),
        ("mine.py", CODE, "mine.py: name a function in it, as"),
        ("gone.toml", None, "gone.toml: no such file"),
        ("mine.toml", 'strategy = "x"', "mine.toml: strategy: unknown strategy 'x'"),
        ("socratic", None, "unknown 'socratic'; known: belief_irrelevant"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(folder: Path, ref: str, code: str | None, said: str) -> None:
    if code is not None:
        (folder / ref.partition(":")[0]).write_text(code)
    with pytest.raises(UserError) as error:
        run_study(study_of(folder, ref), "run", allow_code=True)
    assert said in str(error.value)
    assert "own.toml" in str(error.value)
    assert "\n" not in str(error.value)
    assert not Path("run").exists()


def test_a_task_may_have_its_own_and_names_must_differ(folder: Path) -> None:
    (folder / "other").mkdir()
    shutil.copy(folder / "mine.py", folder / "other" / "mine.py")
    entry = '[[tasks]]\nref = "lab:facts_choice"\nstrategies = ["other/mine.py:shouted"]\n'
    path = folder / "two.toml"
    models = '[[models]]\nname = "m"\nbackend = "mock"\nlocation = "m"\n'
    path.write_text(f'limit = 3\n{models}{entry}[[tasks]]\nref = "lab:rebus:title"\nstrategies = ["direct"]\n')
    run, outcome = run_study(load_study(path), "run", allow_code=True)
    assert outcome.complete
    assert load_study(run.study).tasks[0].strategies == (f"{folder / 'other' / 'mine.py'}:shouted",)
    with pytest.raises(UserError, match=r"would both be called mine\.py:shouted; rename one file"):
        run_study(study_of(folder, "mine.py:shouted", "other/mine.py:shouted"), "run2", allow_code=True)


def test_a_traceback_can_show_its_lines(folder: Path) -> None:
    import linecache

    find_way(f"{folder / 'mine.py'}:socratic", allow_code=True)
    assert "from __future__" in linecache.getline(str(folder / "mine.py"), 2)


# ── Prompt files and few shots in studies ────────────────────────────────────────────────────────────────────
def test_a_prompt_file_is_a_strategy_without_code(folder: Path) -> None:
    (folder / "p").mkdir()
    (folder / "p" / "best.toml").write_text(
        'task = "lab:rebus:title"\nchosen_on = ["0", "3"]\n[template]\ninput_prefix = "Film: "\n'
        '[[shots]]\ninput = "one?"\ntarget = "two"\n'
    )
    run, outcome = run_study(study_of(folder, "direct", "p/best.toml"), "run")
    assert outcome.complete
    outputs = read_outputs(run).filter(pl.col("rung") == "m3").collect()
    asked = {name: set(outputs.filter(strategy=name)["example_id"]) for name in ("direct", "best.toml")}
    assert asked["best.toml"] == asked["direct"] - {"0", "3"}
    assert set(outputs.filter(strategy="best.toml")["shots"]) == {1}
    prompt = outputs.filter(strategy="best.toml")["prompt"][0]
    assert prompt.startswith("Film: one?\nA: two\nFilm: ")
    _, again = run_study(study_of(folder, "direct", "p/best.toml"), "run")
    assert again.computed == 0
    (folder / "p" / "best.toml").write_text('[template]\ninput_prefix = "Movie: "\n')
    _, edited = run_study(study_of(folder, "direct", "p/best.toml"), "run")
    assert edited.computed > 0


def test_few_shot_is_direct_with_shots_and_never_without(folder: Path) -> None:
    run, _ = run_study(study_of(folder, "direct", "few_shot", more="shots = [0, 2]\n"), "run")
    outputs = read_outputs(run).collect()
    arms = set(outputs.select("strategy", "shots").unique().iter_rows())
    assert arms == {("direct", 0), ("direct", 2), ("few_shot", 2)}
    columns = ["rung", "example_id", "prompt", "text", "response"]
    direct, few = (outputs.filter(strategy=name, shots=2).select(columns) for name in ("direct", "few_shot"))
    assert direct.equals(few)
    with pytest.raises(UserError, match=r"few_shot shows answered examples first; give their number, as shots = \[3\]"):
        run_study(study_of(folder, "few_shot"), "run2")


# ── What was not found ───────────────────────────────────────────────────────────────────────────────────────
def test_answers_not_found_are_counted_everywhere(folder: Path) -> None:
    from scalecurve.analysis.extraction import extraction_of

    run, outcome = run_study(study_of(folder, "direct"), "run")
    manifest = run.read_manifest()
    assert outcome.texts == manifest["totals"]["texts"] == 24
    assert 0 < outcome.unextracted == manifest["totals"]["unextracted"] < 24
    counted = extraction_of(run)
    assert sum(cell.texts for cell in counted) == 24
    assert sum(cell.unextracted for cell in counted) == outcome.unextracted
    shares = [cell.unextracted / cell.texts for cell in counted]
    assert shares == sorted(shares, reverse=True)
    for lang, said in (
        ("en", f"found in {outcome.unextracted} of 24 generated"),
        ("zh", f"有 {outcome.unextracted} 段"),
    ):
        told = sentences(gather([run.path]), words(lang), lang)
        assert any(said in str(paragraph["parts"]) for paragraph in told)
    again, _ = run_study(study_of(folder, "direct"), "run")
    assert again.read_manifest()["totals"]["unextracted"] == outcome.unextracted
    assert pl.read_parquet(run.scores).filter(metric="extraction_rate")["value"].sum() == 24 - outcome.unextracted


def test_extraction_is_measured_whatever_the_metrics(folder: Path) -> None:
    run, _ = run_study(study_of(folder, "direct", more='metrics = ["exact_match"]\n'), "run")
    measured = {name for name in pl.read_parquet(run.curves)["metric"] if not name.startswith("probe:")}
    assert measured == {"exact_match", "extraction_rate"}
