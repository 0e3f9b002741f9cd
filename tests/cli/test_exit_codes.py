"""The exit codes that ``docs/cli.md`` promises, and what comes with each."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Call

SCALECURVE = Path(sys.executable).with_name("scalecurve")
OWN = """
import sys, time
from scalecurve.cli import main
from scalecurve.cli._app import app

@app.command()
def own():
    {body}

sys.argv = ["scalecurve", "own"]
main()
"""


def own(body: str) -> subprocess.Popen[str]:
    """The command line with a command of ours, in a process of its own."""
    command = [sys.executable, "-c", OWN.format(body=body)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_nothing_asked_shows_help(call: Call) -> None:
    assert call("models", "list").code == 0
    assert call("--help").code == 0
    said = call()
    assert "Usage: scalecurve" in said.out + said.err


@pytest.mark.parametrize(
    "arguments",
    [("curves", "nowhere"), ("curves",), ("no-such-command",), ("run", "--no-such-option"), ("run", "--limit", "x")],
)
def test_two_is_the_users_error(call: Call, arguments: tuple[str, ...]) -> None:
    said = call(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err


def test_three_is_a_fault_of_ours() -> None:
    process = own("raise KeyError('oops')")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "KeyError: 'oops'" in err
    assert err.endswith("`scalecurve doctor` says\n")


def test_a_code_of_the_command_is_kept() -> None:
    process = own("print('half'); sys.exit(1)")
    assert (process.communicate(timeout=60)[0], process.returncode) == ("half\n", 1)


def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    process = own("print('ready', flush=True); time.sleep(60)")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("lines", [1, 100_000], ids=["at the end", "on the way"])
def test_a_reader_that_has_gone_is_no_fault(lines: int) -> None:
    command = [sys.executable, "-c", OWN.format(body=f"sys.stdin.read(); [print('line') for _ in range({lines})]")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as gone:
        assert gone.stdin
        assert gone.stdout
        assert gone.stderr
        gone.stdout.close()
        gone.stdin.close()
        assert gone.wait(timeout=60) == 1
        assert gone.stderr.read() == b""


def test_the_codes_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    codes = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")]
    assert [code for code in codes if code.strip("`").isdigit()] == ["`0`", "`1`", "`2`", "`3`", "`130`"]
