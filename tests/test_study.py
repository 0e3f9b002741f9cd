"""Study files: what they mean, and what is said when they are wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.study.study import Study, load_study, parse_study

SMALL = {"name": "s", "models": ["lab"], "tasks": ["lab:addition"]}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def message(folder: Path, text: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        load_study(write(folder, text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_short_study_gets_the_defaults(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, 'models = ["lab"]\ntasks = ["lab:addition"]\n'))
    assert (study.name, study.strategies, study.shots, study.every_seed) == ("mine", ("direct",), (0,), (0,))
    assert study.models[0].ref == "lab"
    assert study.limit is None


def test_task_tables_carry_their_own_values(tmp_path: Path) -> None:
    study = load_study(
        write(tmp_path, 'models = ["lab"]\nlimit = 9\n[[tasks]]\nref = "lab:addition"\nshots = [0, 3]\nlimit = 5\n')
    )
    assert study.tasks[0].shots == (0, 3)
    assert study.tasks[0].limit == 5


def test_paths_are_relative_to_the_study_file(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "task.json").write_text("{}")
    study = load_study(write(tmp_path, 'models = ["lab"]\ntasks = ["mine/task.json", "no/such/task.json"]\n'))
    assert [entry.ref for entry in study.tasks] == [str(tmp_path / "mine" / "task.json"), "no/such/task.json"]


def test_a_folder_of_big_bench_hard_is_relative_to_the_study_file(tmp_path: Path) -> None:
    (tmp_path / "BBH" / "tasks").mkdir(parents=True)
    refs = ["bbh:BBH", "bbh:BBH/snarks", "bbh:elsewhere/snarks"]
    study = load_study(write(tmp_path, f'models = ["lab"]\ntasks = {refs}\n'))
    there = tmp_path / "BBH"
    assert [entry.ref for entry in study.tasks] == [f"bbh:{there}", f"bbh:{there / 'snarks'}", refs[2]]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('models = ["lab"]\ntask = ["a"]\n', ["mine.toml", "tasks: missing", "add tasks"]),
        ('models = ["lab"]\ntasks = ["a"]\nlimt = 3\n', ["mine.toml:3", "limt: unknown field", "did you mean limit?"]),
        ('models = ["lab"]\ntasks = ["a"]\nzzz = 3\n', ["mine.toml:3", "zzz: unknown field", "strategies"]),
        ('models = ["lab"]\ntasks = ["a"]\nlimit = 0\n', ["mine.toml:3", "limit", "greater than or equal to 1"]),
        ('models = ["lab"]\ntasks = ["a"]\nshots = ["three"]\n', ["mine.toml:3", "shots[0]", "integer", "three"]),
        ('models = ["lab"]\ntasks = []\n', ["mine.toml:2", "tasks"]),
        ('name = "a/b"\nmodels = ["lab"]\ntasks = ["a"]\n', ["mine.toml:1", "name", "letters, digits"]),
        ('models = ["lab"]\ntasks = ["a"]\ndtype = "int3"\n', ["mine.toml:3", "dtype", "float32", "int3"]),
        ('models = ["lab"]\ntasks = ["a", "a"]\n', ["tasks: 'a' is given twice"]),
        ('models = ["lab"]\ntasks = ["a"]\nseed = 1\nseeds = [1, 2]\n', ["either seed or seeds"]),
        ('models = ["lab"]\ntasks = ["a"]\nseed = 5000000000\n', ["mine.toml:3", "seed", "less than or equal to"]),
        ('tasks = ["a"]\n[[models]]\nref = "lab"\nloss = nan\n', ["mine.toml:4", "models[0].loss", "finite number"]),
        ('models = ["lab"\ntasks = ["a"]\n', ["mine.toml:2", "not valid TOML"]),
        ('models = ["lab"]\ntasks = ["a"]\nname = "x', ["mine.toml:3", "not valid TOML"]),
        (
            'models = ["lab"]\n[[tasks]]\nref = "a"\n\n[[tasks]]\nref = "b"\nshot = [1]\n',
            ["mine.toml:7", "tasks[1].shot: unknown field", "did you mean shots?"],
        ),
        (
            'tasks = ["a"]\n[[models]]\nname = "m"\nbackend = "mock"\nlocation = "x"\n'
            '[[models]]\nname = "m"\nbackend = "mock"\nlocation = "y"\n',
            ["mine.toml", "'m' is given twice", "rename one"],
        ),
        ('tasks = ["a"]\n[[models]]\nname = "m"\n', ["mine.toml:2", "models[0]", "name, backend and location"]),
        ('tasks = ["a"]\n[[models]]\nref = "lab"\nname = "m"\n', ["models[0]", "not ref and name"]),
    ],
)
def test_wrong_study_is_named_in_one_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    said = message(tmp_path, text)
    for part in parts:
        assert part in said


def test_not_utf8_names_the_line(tmp_path: Path) -> None:
    said = message(tmp_path, b'models = ["lab"]\nname = "caf\xe9"\n')
    assert "mine.toml:2: not UTF-8 at byte 28" in said


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.toml: no such study file"):
        load_study(tmp_path / "nothing.toml")
    with pytest.raises(UserError, match="a directory, not a study file"):
        load_study(tmp_path)


def test_several_errors_are_counted(tmp_path: Path) -> None:
    assert message(tmp_path, 'models = ["lab"]\ntasks = ["a"]\nlimit = 0\nseed = -1\n').endswith("(and 1 more)")


@given(
    limit=st.none() | st.integers(1, 10**6),
    shots=st.lists(st.integers(0, 1000), min_size=1, max_size=4, unique=True),
    seeds=st.lists(st.integers(0, 2**31), min_size=1, max_size=3, unique=True),
    refs=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5, unique=True),
    description=st.text(max_size=100),
)
def test_frozen_study_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    limit: int | None,
    shots: list[int],
    seeds: list[int],
    refs: list[str],
    description: str,
) -> None:
    study = parse_study(
        {**SMALL, "limit": limit, "shots": shots, "seeds": seeds, "description": description, "tasks": refs}
    )
    again = load_study(write(tmp_path_factory.mktemp("study"), study.to_toml()))
    assert again.model_dump() == study.model_dump()
    assert again.same_questions(study)


def test_throughput_does_not_make_another_study() -> None:
    study = Study.model_validate(SMALL)
    assert study.same_questions(parse_study({**SMALL, "device": "cuda", "batch_tokens": 4096}))
    assert not study.same_questions(parse_study({**SMALL, "limit": 3}))


def test_a_model_named_singly_does_not_take_the_family_of_a_ladder() -> None:
    from scalecurve.study.plan import make_plan

    lab = {"ref": "lab", "rungs": ["lab-3k"], "family": "ours"}
    study = parse_study({**SMALL, "models": [{"ref": "lab", "family": "ours"}, "mock"], "tasks": ["lab:addition"]})
    assert [ladder.family for ladder in make_plan(study).ladders] == ["ours", study.name]
    named = parse_study({**SMALL, "models": [lab, {"ref": "mock", "family": "stand-in"}], "tasks": ["lab:addition"]})
    assert [ladder.family for ladder in make_plan(named).ladders] == ["ours", "stand-in"]


def test_options_go_to_models_named_by_reference(tmp_path: Path) -> None:
    """The same model plainly and as a chat are two models; a ladder's options are those of all its rungs."""
    from scalecurve.study.plan import make_plan

    text = """models = [
      "mock",
      { ref = "mock", options = { chat = true, system = "Be brief." } },
      { ref = "lab", rungs = ["lab-3k", "lab-12k"], options = { max_length = 64 } },
    ]
    tasks = ["lab:addition:1_digit"]"""
    study = load_study(write(tmp_path, text))
    rungs = {rung.name: dict(rung.options) for _, rung in make_plan(study).rungs()}
    assert rungs["mock"] == {}
    assert rungs["mock+chat"] == {"chat": True, "system": "Be brief."}
    assert rungs["lab-3k"]["max_length"] == rungs["lab-12k"]["max_length"] == 64
    assert parse_study(study.values()).same_questions(study)
    assert "'mock' is given twice" in message(tmp_path, 'models = ["mock", "mock"]\ntasks = ["a"]\n')
