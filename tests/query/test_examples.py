"""The specification's eight example queries with real weights: the plan says what is done, and asks nothing itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")

from scalecurve.query.session import Session

EXAMPLES = Path(__file__).parents[2] / "benchmarks" / "query_examples.py"
CALLS = (60, 10, 10, None, None, None, 0)  # on everyday tables, from the second on; None: depends on the answers


@pytest.fixture(scope="module")
def examples() -> ModuleType:
    spec = importlib.util.spec_from_file_location("query_examples", EXAMPLES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(session: Session, text: str) -> tuple[list[dict[str, object]], int]:
    """The plan of ``text`` and the calls it then made: none for the plan, and as many as it said."""
    asked = session.models.total().calls
    plan = session.run(text if text.startswith("EXPLAIN") else f"EXPLAIN {text}").pl().to_dicts()
    assert session.models.total().calls == asked, "EXPLAIN asks nothing"
    result = session.run(text)
    calls = session.models.total().calls - asked
    assert result.usage.calls == calls
    foretold = [str(step["calls"]) for step in plan]
    if all(said.isdigit() for said in foretold):
        assert calls == (0 if text.startswith("EXPLAIN") else sum(map(int, foretold)))
    elif all("depends" not in said for said in foretold):
        assert calls <= sum(int(said.split()[-1]) for said in foretold)
    return plan, calls


@pytest.fixture(scope="module")
def run(examples: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(examples.measured(tmp_path_factory.mktemp("facts")))


def test_on_the_ladder(examples: ModuleType, run: Path) -> None:
    tables, defined, queries = examples.lab_tables()
    made = []
    for text in queries:
        session = Session("lab", attach=tables, runs=[run])
        for definition in defined:
            session.run(definition)
        made.append(checked(session, text))
        session.close()
    plans, calls = [plan for plan, _ in made], [each for _, each in made]
    assert calls[0] == 2
    assert (calls[1], plans[1][0]["rows"]) == (60, 60)
    assert "cheapest rung with wilson_lo" in str(plans[1][0]["why"])
    assert "recall ≥ 0.9 and precision ≥ 0.9" in str(plans[2][0]["guarantee"])
    assert calls[3] == plans[3][0]["distinct"]
    assert calls[4] > 0
    assert calls[5] < 2 * int(str(plans[5][0]["distinct"])), "the second condition sees survivors only"
    assert calls[6] < 100, "five rows are found long before all are asked"
    assert calls[7] == 0


@pytest.mark.slow
def test_on_smollm2(examples: ModuleType, tmp_path: Path) -> None:
    tables, defined, queries = examples.everyday_tables("smollm2-135m")
    ladder = examples.two_rungs(tmp_path, "smollm2-135m")
    session, laddered = Session("smollm2-135m", attach=tables), Session(ladder, attach=tables)
    for definition in defined:
        session.run(definition)
    capitals = session.run(queries[0]).pl()["capital"].to_list()
    assert sorted(capitals) == ["Lima", "Paris"]
    for text, wanted in zip(queries[1:], CALLS, strict=True):
        _, calls = checked(laddered if "model ladder" in text else session, text)
        assert calls == wanted or wanted is None
    session.close()
    laddered.close()
