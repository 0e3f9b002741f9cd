"""The code blocks of a Markdown page, and a way to do what they say.

A page is followed from top to bottom in a directory of its own:

- ``console``: a line that begins with ``$`` is a command, one that begins with ``>`` goes on with it, the others are
  what it prints. ``…`` stands for any text, alone on a line for any lines; durations are not compared, other numbers
  closely.
- ``sh``: a script. It must end well; what it prints is not compared. One that only makes targets is run dry, and one
  that installs the checkout is what tests/newcomer.sh begins with.
- ``python``: runs in the namespace of the page. A ``text`` block right after it is what it prints.
- A block with ``title="NAME"`` is a file of that name; it is written, not run.
- ``toml``: is read by the product's own reader of study, family or prompt files. ``sql``: is parsed as a query.
- A block whose first line is the comment ``Not run: REASON`` is not run; its commands are still parsed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
NOT_RUN = re.compile(r"^(?:#|--|//) Not run: (?P<reason>.+)$")
LANGUAGES = {
    "console",
    "sh",
    "python",
    "ipython",
    "toml",
    "sql",
    "json",
    "jsonl",
    "yaml",
    "text",
    "csv",
    "bibtex",
    "diff",
}
DURATION = re.compile(r"\d+(?:\.\d+)?(?:m\d+)? ?(?:ms|seconds|s|min|GB|MB|kB|tokens/s)\b")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, its language, the file it is, why it is not run, and its text."""

    page: Path
    line: int
    language: str
    title: str
    reason: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order. Raises ``AssertionError`` for one that has no end."""
    blocks: list[Block] = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        if opened := FENCE.match(line):
            body = list(_until(lines, opened["fence"], f"{page.name}:{number}: the block has no end"))
            blocks.append(_block(page, number, opened["info"].strip(), textwrap.dedent("\n".join(body)) + "\n"))
    return blocks


def _until(lines: Iterator[tuple[int, str]], fence: str, complaint: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == fence:
            return
        yield line
    raise AssertionError(complaint)


def _block(page: Path, line: int, info: str, text: str) -> Block:
    language = info.split()[0] if info and not info.startswith("{") else ""
    title = re.search(r'title="([^"]+)"', info)
    mark = NOT_RUN.match(text.split("\n", 1)[0])
    return Block(page, line, language, title[1] if title else "", mark["reason"] if mark else "", text)


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a ``console`` block, each with what the page says it prints."""
    done: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            done.append((line[2:], ""))
        elif line.startswith("# Not run: "):
            continue
        else:
            assert done, f"{block.where}: a console block begins with a command, `$ …`"
            command, printed = done[-1]
            done[-1] = (f"{command}\n{line[2:]}", "") if line.startswith("> ") else (command, f"{printed}{line}\n")
    return done


def shell_lines(text: str) -> list[str]:
    """The commands of a script, one a line: continued lines joined, comments and here-documents' bodies left out."""
    lines = re.sub(r"<<'?(\w+)'?.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for line in re.sub(r"\\\n\s*", " ", lines).splitlines() if line.strip() and not line.startswith("#")]


def scalecurve_calls(line: str) -> list[list[str]]:
    """The arguments of each call of scalecurve in a line of shell; redirections are left out."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split, words.commenters = True, "#"
    calls: list[list[str]] = [[]]
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.strip("<>&|;()") == "":
            skip = "<" in word or ">" in word
            if not skip:
                calls.append([])
            elif calls[-1] and calls[-1][-1] in ("1", "2"):
                calls[-1].pop()
        else:
            calls[-1].append(word)
    return [call[1:] for call in calls if call[:1] == ["scalecurve"]]


class Follower:
    """Does what a page says, block by block, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__page__"}
        self.printed = ""  # by the last python block

    def follow(self, block: Block, before: Block | None) -> None:
        """Run, write, read or parse ``block``. Raises ``AssertionError`` naming the page and line."""
        if block.language == "sql":
            self._parse(block)
        if block.language == "toml":
            self._read(block)
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.reason or block.language in ("sql", "toml"):
            return
        elif block.language == "console":
            self._console(block)
        elif block.language == "sh":
            self._script(block)
        elif block.language == "python":
            self._python(block)
        elif block.language == "text" and before is not None and before.language == "python" and not before.title:
            self._said(block.where, block.text, self.printed)

    def _console(self, block: Block) -> None:
        for command, printed in commands(block):
            done = self._shell(command)
            assert done.returncode == 0, f"{block.where}: {command}\nexit code {done.returncode}\n{done.stderr}"
            if printed:
                self._said(f"{block.where}: {command}", printed, done.stdout)

    def _said(self, where: str, page: str, printed: str) -> None:
        assert _match(tuple(_lines(page)), tuple(_lines(printed))), (
            f"{where}\nthe page says\n\n{page}\nbut this was printed\n\n{printed}"
        )

    def _script(self, block: Block) -> None:
        if block.text.startswith("pip install '."):
            return
        if all(
            line.startswith("make ") for line in shell_lines(block.text)
        ):  # of the checkout: would run this very test
            done = self._shell(f"cd '{ROOT}'\n" + block.text.replace("make ", "make --dry-run "), "-e")
        else:
            done = self._shell(block.text, "-e")
        assert done.returncode == 0, f"{block.where}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"

    def _shell(self, text: str, *options: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = str(self.folder / ".home")  # nothing that a page does reaches the user's own
        here = os.environ | {"PATH": path, "COLUMNS": "160", "HOME": home, "XDG_CACHE_HOME": f"{home}/.cache"}
        return subprocess.run(
            ["bash", "-o", "pipefail", *options, "-c", text], cwd=self.folder, env=here, capture_output=True, text=True,
            timeout=240, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def _python(self, block: Block) -> None:
        code = compile("\n" * block.line + block.text, str(block.page), "exec")
        out = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(out):
            exec(code, self.names)
        self.printed = out.getvalue()

    def _read(self, block: Block) -> None:
        import tomllib

        import tomli_w

        from scalecurve.cost.prices import load_prices
        from scalecurve.models import load_ladder
        from scalecurve.strategies.prompt import parse_prompt
        from scalecurve.study.study import parse_study

        table = tomllib.loads(block.text)
        scratch = self.folder / ".read.toml"
        if "rung" in table:
            common = {"backend": "mock", "location": "m"}  # where the page shows a part of the file
            table = {"family": "page"} | table | {"rung": [common | rung for rung in table["rung"]]}
        scratch.write_text(tomli_w.dumps(table), encoding="utf-8")
        try:
            if "rung" in table:
                load_ladder(str(scratch))
            elif "executor" in table:
                load_prices(scratch)
            elif "strategy" in table or "template" in table:
                parse_prompt(block.text, block.where)
            else:
                parse_study({"name": "page", "models": ["lab"], "tasks": ["lab:addition"]} | table)
        finally:
            scratch.unlink()

    def _parse(self, block: Block) -> None:
        from scalecurve.query.sql.parse import parse

        for statement in re.split(r";\s*\n", block.text):
            if re.sub(r"--.*", "", statement).strip():
                parse(statement)


def follow(page: Path, folder: Path) -> None:
    """Do all that a page says in ``folder``. Raises ``AssertionError`` where the page is not true."""
    follower, before = Follower(folder), None
    for block in read_blocks(page):
        follower.follow(block, before)
        before = block


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _match(told: tuple[str, ...], found: tuple[str, ...]) -> bool:
    @cache
    def match(at: int, seen: int) -> bool:
        if at == len(told):
            return seen == len(found)
        if told[at] == "…":
            return any(match(at + 1, later) for later in range(seen, len(found) + 1))
        return seen < len(found) and _alike(told[at], found[seen]) and match(at + 1, seen + 1)

    return match(0, 0)


def _alike(told: str, found: str) -> bool:
    """Whether a printed line is the page's: durations may differ, other numbers by 2% or .02, shares by 3 points."""
    told, found = DURATION.sub("⏱", told), DURATION.sub("⏱", found)
    pattern, numbers, at = "", [], 0
    for part in re.finditer(r"\d+(?:\.\d+)?%?|…", told):
        pattern += re.escape(told[at : part.start()])
        pattern += ".*?" if part[0] == "…" else r"(\d+(?:\.\d+)?)" + ("%" if part[0].endswith("%") else "")
        if part[0] != "…":
            numbers.append(part[0])
        at = part.end()
    met = re.fullmatch(pattern + re.escape(told[at:]), found)
    return met is not None and all(map(_close, numbers, met.groups()))


def _close(told: str, found: str) -> bool:
    if told.endswith("%"):
        return abs(float(told[:-1]) - float(found)) <= 3
    if "." not in told:
        return told == found
    return abs(float(told) - float(found)) <= max(0.02, 0.02 * abs(float(told)))


class Writer(Follower):
    """Follows a page and keeps what was really printed where the page says something else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.printed_instead: dict[str, str] = {}

    def _said(self, where: str, page: str, printed: str) -> None:
        if not _match(tuple(_lines(page)), tuple(_lines(printed))):
            kept = "\n".join(line.rstrip() for line in printed.splitlines()).strip("\n")
            self.printed_instead[page] = kept + "\n" * (len(page) - len(page.rstrip("\n")))
            print(f"{where}: written anew" + (" (its … by hand)" if "…" in page else ""))


def write(page: Path, folder: Path) -> None:
    """Follow ``page`` and put what its commands print now in the place of what it says that they print."""
    writer, before = Writer(folder), None
    for block in read_blocks(page):
        writer.follow(block, before)
        before = block
    text = page.read_text(encoding="utf-8")
    for told, found in writer.printed_instead.items():
        assert told in text, f"{page}: not found, perhaps indented:\n{told}"
        text = text.replace(told, found)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":  # [--write] PAGE…: each in an empty directory; see tests/newcomer.sh
    import tempfile
    import time

    anew = "--write" in sys.argv
    for argument in (word for word in sys.argv[1:] if word != "--write"):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as empty:
            try:
                (write if anew else follow)(Path(argument).resolve(), Path(empty))
            except AssertionError as error:
                sys.exit(str(error))
        print(f"{argument}: {'written' if anew else 'true'} ({time.monotonic() - began:.0f} s)", flush=True)
