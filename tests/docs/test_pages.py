"""Every code block of the README and of docs/: tutorials are followed literally from an empty directory."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import tomli_w
from bigbench_files import unpack
from pages import LANGUAGES, commands, follow, read_blocks, scalecurve_calls, shell_lines
from typer.main import get_command

from scalecurve.cli._app import app, load_commands
from scalecurve.lab.world import build_world
from scalecurve.models import load_ladder
from scalecurve.pipeline import run_study
from scalecurve.study.study import parse_study
from scalecurve.tasks.bigbench_install import install

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks" / "README.md"])
LITERAL = [ROOT / "README.md", *ROOT.glob("docs/tutorials/*.md"), ROOT / "docs" / "index.md"]
"""Pages that begin in an empty directory. The others talk about a checkout in which the embedded study has run."""
NEWCOMER = re.findall(r"README\.md|docs/\S+\.md", (ROOT / "tests" / "newcomer.sh").read_text(encoding="utf-8"))
"""Those of them that tests/newcomer.sh follows, in an environment of its own."""

NOT_RUN = {
    # page: how many of its blocks are not run; each says why in its first line
    "docs/bigbench.md": 2,
    "docs/distributed.md": 1,
    "docs/elicit.md": 1,
    "docs/export.md": 2,
    "docs/lab.md": 1,
    "docs/query.md": 1,
    "docs/report.md": 1,
    "docs/security.md": 1,
    "docs/studies/answerability.md": 1,
    "docs/studies/belief.md": 1,
    "docs/studies/bigbench_lite.md": 1,
    "docs/studies/how_often.md": 1,
    "docs/studies/how_often.zh.md": 1,
    "docs/studies/inverse.md": 1,
    "docs/testing.md": 1,
    "docs/thinking.md": 2,
    "docs/watch.md": 1,
}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_blocks(pages: list[Path]) -> list[Path]:
    return [page for page in pages if read_blocks(page)]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("SCALECURVE_BIGBENCH", str(tmp_path / ".no-bigbench"))


RUNG = '[[rung]]\nname = "lab-{0}"\nbackend = "transformers"\nlocation = "lab-{0}"\nparams_non_embedding = {0}\n'
MOCKS = [
    {"name": f"lab-{size}", "backend": "mock", "location": f"mock/{size}", "options": {"ability": size / 1000},
     "params_non_embedding": size, "training_tokens": 20 * size}
    for size in (200, 800)
]  # fmt: skip
FEW = {"models": MOCKS, "limit": 16}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages of reference talk about: a checkout whose studies ask two mock models sixteen questions a task,
    the run of such an embedded study, and results, checkpoints and files of the user's own by the names on the pages.
    """
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "studies").mkdir()
    for study in ROOT.glob("studies/*.toml"):
        asked = tomllib.loads(study.read_text(encoding="utf-8"))
        if "lab" in asked["models"] or study.stem == "emoji_films":
            (folder / "studies" / study.name).write_text(tomli_w.dumps(asked | FEW))
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    ladder = load_ladder("lab-checkpoints")
    for rung in ladder.rungs[3:6]:
        shutil.copytree(rung.location, folder / "out" / "checkpoints" / f"step{rung.step}")
    fixtures = ROOT / "tests" / "fixtures"
    shutil.copytree(fixtures / "harness" / "lm_eval", folder / "results")
    for arm in ("gsm8k", "gsm8k_cot"):
        for file in (folder / "results" / "lab-3k").iterdir():
            copy = folder / "arms" / arm / file.name.replace("tiny_generate", arm).replace("tiny_", f"{arm}_other_")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text().replace("tiny_generate", arm).replace("tiny_", f"{arm}_other_"))
    shutil.copytree(fixtures / "lm_eval", folder, dirs_exist_ok=True)
    shutil.copy(folder / "letters.yaml", folder / "task.yaml")
    (folder / "scores.csv").write_text("Model,Benchmark,acc,acc_err\na,piqa,.6,.01\nb,piqa,.7,.01\n")
    (folder / "titles.csv").write_text("title\n" + "".join(f"{film.title}\n" for film in build_world().films[:4]))
    (folder / "prices.toml").write_text('[[executor]]\nname = "h100"\nflops = 4e14\nper_hour = 2.5\n')
    (folder / "mine.toml").write_text('family = "mine"\n' + "".join(RUNG.format(size) for size in (3, 1000)))
    (folder / "study.toml").write_text(tomli_w.dumps({"tasks": ["lab:facts_choice"], **FEW, "limit": 4}))
    asked = {"name": "lab", "strategies": ["direct", "chain_of_thought"], "shots": [2], **FEW}
    study = parse_study(asked | {"tasks": ["lab:addition:3_digits", "lab:two_hop_facts"]})
    run_study(study, folder / "runs" / "lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALECURVE_BIGBENCH", str(folder / "bigbench"))
        install(unpack(folder / "benchmark_tasks"))
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("newcomer")
@pytest.mark.parametrize("page", [page for page in with_blocks(LITERAL) if name(page) not in NEWCOMER], ids=name)
def test_page_is_true_from_an_empty_directory(page: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "empty").mkdir()
    follow(page, folder)


@pytest.mark.slow
@pytest.mark.usefixtures("newcomer")
@pytest.mark.parametrize("page", with_blocks([page for page in PAGES if page not in LITERAL]), ids=name)
def test_page_of_reference_is_true(page: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALECURVE_BIGBENCH", str(checkout / "bigbench"))  # six of its tasks
    follow(page, checkout)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_are_of_a_known_kind(page: Path) -> None:
    for block in read_blocks(page):
        assert block.language in LANGUAGES, f"{block.where}: say what the block is: {', '.join(sorted(LANGUAGES))}"
        assert len(block.reason) < 100, f"{block.where}: the reason must be short"
    text = re.sub(r"(?ms)^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"))
    indented = re.search(r"(?m)(?:\A|^\n)( {4,}(?![ *\-|0-9]).+)$", text)
    assert not indented or ":::" in text, f"{name(page)}: indented code is not tested; fence it: {indented}"


def test_few_blocks_are_not_run() -> None:
    left = {name(page): sum(bool(block.reason) for block in read_blocks(page)) for page in PAGES}
    assert {page: count for page, count in left.items() if count} == NOT_RUN


@pytest.mark.parametrize("page", with_blocks(PAGES), ids=name)
def test_commands_are_those_of_the_product(page: Path) -> None:
    """Every call of scalecurve, run or not, is one that the command line takes: command, options, arguments."""
    load_commands()
    for block in read_blocks(page):
        if block.language == "console":
            lines = [line for command, _ in commands(block) for line in shell_lines(command)]
        elif block.language == "sh":
            lines = shell_lines(block.text)
        else:
            continue
        for call in (call for line in lines for call in scalecurve_calls(line)):
            if {"--install-completion", "--show-completion", "--version", "--help"} & set(call):
                continue  # these act as soon as they are parsed
            try:
                _parse(get_command(app), call)
            except click.exceptions.ClickException as error:
                pytest.fail(f"{block.where}: {call}: {error.format_message()}")


def _parse(command: click.Command, words: list[str]) -> None:
    with command.make_context("scalecurve", list(words)) as context:
        if isinstance(command, click.Group):
            _, sub, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert sub is not None
            _parse(sub, rest)


def test_the_chinese_readme_shows_the_same() -> None:
    """Blocks differ in their comments only: commands, files and outputs are those that the English page proves."""

    def plain(page: str) -> list[tuple[str, str, str]]:
        blocks = read_blocks(ROOT / page)
        return [(block.language, block.title, re.sub(r"(?m)\s+#.*$", "", block.text)) for block in blocks]

    assert plain("README.zh-CN.md") == plain("README.md")


@pytest.mark.slow
def test_a_newcomers_first_hour(newcomer: subprocess.Popen[str]) -> None:
    """The README and three tutorials, followed with the wheel in an environment of its own beside the other pages."""
    said, _ = newcomer.communicate(timeout=1200)
    assert newcomer.returncode == 0, said
    assert "$ scalecurve study\n" in said
    assert "report: runs/lab/report.html\n" in said
    assert said.count(": true (") == 4
