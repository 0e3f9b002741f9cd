"""What a terminal shows: tables that fit it, colours where it has them, the curve in block characters."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from scalecurve.cli._print import table
from scalecurve.cli._terminal import shortened, spark

COMMAND = Path(sys.executable).with_name("scalecurve")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published table of two families with long and Chinese names: one ability jumps, one falls, one stays."""
    out = tmp_path_factory.mktemp("terminal")
    sizes = (10**6, 3 * 10**6, 10**7, 3 * 10**7, 10**8, 3 * 10**8, 10**9, 3 * 10**9)
    courses = {
        "reading_comprehension_of_rather_long_documents": (0, 0, 0, 0, 0.5, 0.95, 0.97, 0.98),
        "a_misconception_that_larger_models_repeat_more_often": (0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
        "中文阅读理解与长篇文章的推理能力测试": (0.25,) * 8,
    }
    lines = ["family,model,task,metric,score,n,chance,params_total"]
    for family in ("a-family-with-a-long-name", "other"):
        for size, at in zip(sizes, range(8), strict=True):
            lines += [
                f"{family},{family}-{size // 10**6}M,{task},acc,{y[at]},500,{0.25 if '中' in task else 0},{size}"
                for task, y in courses.items()
            ]
    (out / "scores.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [COMMAND, "import", "table", out / "scores.csv", "--into", out / "run"], capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stderr
    return out / "run"


def in_terminal(columns: int, *words: str | Path, **environment: str) -> str:
    """What the command writes to a terminal of so many columns."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [COMMAND, *words], stdout=theirs, stderr=theirs, env=kept | {"TERM": "xterm-256color"} | environment
    ) as asked:
        os.close(theirs)
        read = bytearray()
        while chunk := _read(mine):
            read += chunk
    os.close(mine)
    assert asked.returncode == 0, read.decode()
    return read.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("words", [("verdicts",), ("verdicts", "--why"), ("curves",), ("forecast", "--to", "10B")])
def test_tables_fit_the_terminal(run: Path, words: tuple[str, ...], columns: int) -> None:
    said = ESCAPE.sub("", in_terminal(columns, words[0], run, *words[1:]))
    assert "read" in said
    assert "中" in said
    assert max(map(cell_len, said.splitlines())) <= columns


def test_a_wider_terminal_shows_more(run: Path) -> None:
    narrow, wide = (ESCAPE.sub("", in_terminal(columns, "verdicts", run)) for columns in (80, 200))
    assert "L/(m-1)" not in narrow
    assert "L/(m-1)" in wide
    assert "reading_comprehension_of_rather_long_documents" not in narrow
    assert "reading_comprehension_of_rather_long_documents" in wide


def test_what_changes_stands_first_with_family_and_curve(run: Path) -> None:
    said = ESCAPE.sub("", in_terminal(100, "verdicts", run))
    groups = re.findall(r"^([A-Za-z-]+) \(\d+\): ", said, re.MULTILINE)
    assert groups.index("inverse") < groups.index("flat")
    assert groups[0] in ("emergent", "late")
    assert said.splitlines()[:2] == ["a-family-with-a-long-name: 3 curves", "other: 3 curves"]
    assert "▁▁▁▁▅███" in said
    alone = ESCAPE.sub("", in_terminal(100, "verdicts", run, "--family", "other"))
    assert alone.splitlines()[0] == "other: 3 curves"
    assert "a-family" not in alone


def test_the_flags_of_the_table_are_explained_under_it(run: Path) -> None:
    said = ESCAPE.sub("", in_terminal(200, "verdicts", run))
    told = subprocess.run([COMMAND, "verdicts", run, "--json"], capture_output=True, text=True, check=True).stdout
    flags = {flag for row in json.loads(told) for flag in row["flags"]}
    (legend,) = [line for line in said.splitlines() if line.startswith("flags: ")]
    assert {one.partition(":")[0] for one in legend.removeprefix("flags: ").split("; ")} == flags
    assert "unpaired: no item scores" in legend


def test_colour_only_where_it_is_wanted(run: Path) -> None:
    assert "\x1b[" in in_terminal(80, "verdicts", run)
    assert "\x1b[" not in in_terminal(80, "verdicts", run, NO_COLOR="1")
    assert "\x1b[" not in in_terminal(80, "curves", run, TERM="dumb")


def test_a_pipe_gets_whole_names(run: Path) -> None:
    told = subprocess.run(
        [COMMAND, "verdicts", run], capture_output=True, text=True, env=os.environ | {"COLUMNS": ""}
    ).stdout
    assert "a_misconception_that_larger_models_repeat_more_often" in told
    assert "\x1b" not in told


def test_a_table_cuts_names_never_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = [("the_name_of_something_that_is_long", "0.123 to 0.456", "spare", "1.25")]
    said = table(("name", "interval", "more", "x"), rows, right=(3,), spare=(2,))
    assert max(map(len, said.splitlines())) <= 40
    assert "0.123 to 0.456" in said
    assert said.splitlines()[1].startswith("the_name_…_is_long")
    assert said.endswith("(not shown for want of room: more)")


def test_bars_of_a_curve() -> None:
    assert spark([0, 0.25, 0.5, 0.75, 1], 0, 1) == "▁▃▅▇█"
    assert spark([0.2, 0.25, 0.2], 0.25, 1)[0] == "▁"
    assert spark([float("nan"), None]) == ""
    assert len(spark(range(100))) == 12
    assert spark(range(100))[0] + spark(range(100))[-1] == "▁█"
    assert cell_len(shortened("中文阅读理解与长篇文章", 11)) <= 11
