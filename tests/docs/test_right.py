"""What examples on the pages answer is right, not only what is printed: sums are sums, facts are the world's."""

import re
from pathlib import Path

from pages import commands, read_blocks

from scalecurve.lab.world import build_world

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]


def test_sums_that_models_are_asked_for_are_right() -> None:
    seen = 0
    for block in (block for page in PAGES for block in read_blocks(page) if block.language == "console"):
        for command, printed in commands(block):
            if sum_ := re.search(r'ask "[^"]*?(\d+) ?\+ ?(\d+)', command):
                assert printed.strip() == str(int(sum_[1]) + int(sum_[2])), f"{block.where}: {command}"
                seen += 1
    assert seen, "docs/thinking.md shows one"


def test_every_question_of_a_page_shows_its_answer() -> None:
    """A script's output is not compared, so a question to a model belongs in a console block, with what it prints."""
    for block in (block for page in PAGES for block in read_blocks(page) if block.language == "sh"):
        assert block.reason or "think ask" not in block.text, f"{block.where}: show what is answered"


def test_facts_that_models_tell_are_those_of_the_world() -> None:
    people = {person.name: person for person in build_world().people}
    seen = 0
    for block in read_blocks(ROOT / "docs" / "tutorials" / "query.md"):
        for command, printed in commands(block) if block.language == "console" else ():
            header, *rows = printed.splitlines() or [""]
            for row in (row.split() for row in rows if row.split()[:1] and row.split()[0] in people):
                for column, value in zip(header.split(), row, strict=True):
                    if column in ("job", "birthplace"):
                        assert value == getattr(people[row[0]], column), f"{block.where}: {command}: {row}"
                        seen += 1
    assert seen >= 12
