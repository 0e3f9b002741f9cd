"""The interactive shell: statements until ``;``, history, completion of words, tables and columns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.query.show import show
from scalecurve.query.sql.parse import AI_FUNCTIONS, split

if TYPE_CHECKING:
    from rich.console import Console

    from scalecurve.query.session import Session

WORDS = (
    "SELECT FROM WHERE JOIN LEFT ON GROUP BY HAVING ORDER LIMIT OFFSET WITH AS AND OR NOT IN IS NULL CASE WHEN THEN "
    "ELSE END DISTINCT UNION ALL EXPLAIN ANALYZE CREATE KNOWLEDGE TABLE KEY USING strategy direct cot sc auto model "
    "ladder min_confidence min_accuracy recall precision delta budget tokens gate on off seed on_fail error abstain "
    "pairs best ability count sum avg min max"
).split()
HELP = """Write a statement and end it with ;
.tables   tables and their columns, and knowledge tables
.help     this
.quit     leave (or Ctrl-D)"""


def run_shell(session: Session, console: Console, **how: Any) -> None:
    """Read statements and show their results until the end of input.

    ``how`` goes to prompt_toolkit's ``PromptSession`` (``input`` and ``output``, in tests).
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    history = history_file()
    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)),
        completer=WordCompleter(completions(session), ignore_case=True),
        complete_while_typing=False,
        lexer=PygmentsLexer(SqlLexer),
        **how,
    )
    console.print("scalecurve's query language; .help helps, Ctrl-D leaves", style="dim")
    waiting = ""
    while True:
        try:
            line = prompt.prompt("> " if not waiting else ". ")
        except KeyboardInterrupt:
            waiting = ""
            continue
        except EOFError:
            return
        if not waiting and line.strip().startswith("."):
            if not _command(line.strip(), session, console):
                return
            continue
        waiting = f"{waiting}\n{line}" if waiting else line
        if not waiting.strip():
            waiting = ""
        elif waiting.rstrip().endswith(";"):
            run_statements(session, waiting, console)
            waiting = ""


def run_statements(session: Session, text: str, console: Console) -> None:
    """Run and show every statement of ``text``; an error is shown, and ends it."""
    try:
        for statement in split(text):
            result = session.run(statement)
            show(result, console)
            if result.summary:
                console.print(result.summary, style="dim", highlight=False, markup=False)
    except UserError as error:
        console.print(str(error), style="red", highlight=False, markup=False)
    except KeyboardInterrupt:
        console.print("stopped", style="red")


def _command(line: str, session: Session, console: Console) -> bool:
    """A line that begins with a point; False where it ends the shell."""
    word = line.split()[0]
    if word in (".quit", ".exit"):
        return False
    if word == ".tables":
        for name, columns in session.tables().items():
            console.print(f"{name}({', '.join(columns)})", highlight=False, markup=False)
        for table in session.knowledge.values():
            listed = ", ".join(f"{c.name} {c.type}{' KEY' * c.key}" for c in table.columns)
            console.print(f"model(…).{table.name}({listed})", highlight=False, markup=False)
    elif word == ".help":
        console.print(HELP, highlight=False, markup=False)
    else:
        console.print(f"{word}: there are .tables, .help and .quit", style="red", highlight=False, markup=False)
    return True


def completions(session: Session) -> Callable[[], list[str]]:
    """All words that may be completed, looked up anew each time."""

    def words() -> list[str]:
        tables = session.tables()
        known: Iterable[str] = (*tables, *(column for columns in tables.values() for column in columns))
        knowledge = (name for t in session.knowledge.values() for name in (t.name, *(c.name for c in t.columns)))
        return sorted({*WORDS, *AI_FUNCTIONS, *known, *knowledge})

    return words


def history_file() -> Path:
    """Where lines are kept between sessions."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(base).expanduser() / "scalecurve" / "query_history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        return Path(os.devnull)
    return path
