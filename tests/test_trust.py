"""What strangers may send, and what must not come of it: claims of docs/security.md that no room's own tests hold."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from local_server import Quiet, listen

import scalecurve.io.zipped
import scalecurve.tasks.jsonfile
from scalecurve import cli
from scalecurve.errors import UserError
from scalecurve.io import import_run
from scalecurve.io.bigbench_files import ModelData, ScoreFile
from scalecurve.io.bigbench_scores import import_score_files
from scalecurve.io.exporters.export import FORMATS, Wanted, export
from scalecurve.io.stream import json_members
from scalecurve.io.tidy_run import INDEX, read_tidy_run
from scalecurve.pipeline import run_study
from scalecurve.store import RunDirectory, open_run, read_cell, write_part
from scalecurve.store.csv_table import for_csv
from scalecurve.store.parts import part_bytes, part_path
from scalecurve.study.study import parse_study
from scalecurve.tasks import load_tasks
from scalecurve.tasks.task_score import TaskScore
from scalecurve.types import Answer, Cell, Example

ROOT = Path(__file__).resolve().parent.parent
EVIL = "\x1b]0;owned\x07\x9b31m\u202e\r../../../up"
KEY = "sk-not-for-anyones-eyes-0123456789"


def results(folder: Path, change: Callable[[str], str] = str, *, other: str = "", text: str = "x") -> Path:
    """Results of a task t and samples with ``text``, as lm-evaluation-harness writes them, changed by ``change``.

    ``other`` is a task with results only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tasks = ["t", *filter(None, [other])]
    found = {
        "results": {task: {"acc,none": 0.5, "acc_stderr,none": 0.1} for task in tasks},
        "versions": dict.fromkeys(tasks, 1),
        "n-shot": dict.fromkeys(tasks, 0),
        "n-samples": {task: {"original": 2, "effective": 2} for task in tasks},
        "config": {"model_args": "pretrained=EleutherAI/pythia-70m"},
    }
    (folder / "results_1.json").write_text(change(json.dumps(found)))
    lines = []
    for at in range(2):
        line = {"doc_id": at, "doc": {"question": text}, "target": text, "filter": "none", "metrics": ["acc"]}
        line |= {"arguments": {"gen_args_0": {"arg_0": text, "arg_1": {}}}, "resps": [[text]]}
        lines.append(change(json.dumps(line | {"filtered_resps": [text], "acc": at})) + "\n")
    (folder / "samples_t_1.jsonl").write_text("".join(lines))
    return folder


def imported(folder: Path, **how: Any) -> RunDirectory:
    import_run([results(folder / "in", **how)], folder / "run")
    return open_run(folder / "run")


def contents(folder: Path) -> str:
    """Everything that the files of a folder say, tables as text."""
    found = []
    for path in (path for path in sorted(folder.rglob("*")) if path.is_file()):
        is_table = path.suffix == ".parquet"
        found.append(pl.read_parquet(path).write_json() if is_table else path.read_bytes().decode(errors="replace"))
    return "\n".join(found)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def echoing() -> Iterator[str]:
    """The address of a server that answers every request with an error that repeats the key it was sent."""

    class Handler(Quiet):
        def do_POST(self) -> None:
            self.body()
            said = f"{'wrong ' * 36} {self.headers['Authorization']}"  # where an error is cut, half a key could be left
            self.reply(401, json.dumps({"error": {"message": said}}).encode())

    server, url = listen(Handler)
    yield url
    server.shutdown()
    server.server_close()


def far(location: str, **options: Any) -> dict[str, Any]:
    """A study of one model behind an address, and one that works."""
    far = {"name": "far", "backend": "endpoint", "location": location, "params_non_embedding": 10}
    far["options"] = {"retries": 0, "api_key_env": "FAR_API_KEY"} | options
    near = {"name": "near", "backend": "mock", "location": "m", "params_non_embedding": 100}
    return {"name": "keys", "models": [far, near], "tasks": ["lab:addition:1_digit"], "limit": 4}


def test_keys_are_in_no_run_log_error_or_export(
    echoing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("FAR_API_KEY", f"{KEY}\n")
    run, _ = run_study(parse_study(far(echoing)), tmp_path / "run")
    for name in ("parquet", "csv", "lm-eval", "model-card"):
        export(run, name, str(tmp_path / name))
    said = contents(tmp_path) + "".join(capfd.readouterr())
    assert "401" in said
    assert "Bearer" in said
    assert KEY[:12] not in said


def test_a_password_in_an_address_is_refused_and_not_kept(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    for location in (f"http://user:{KEY}@127.0.0.1:9/v1", f"http://127.0.0.1:9/v1?key={KEY}"):
        with pytest.raises(UserError, match="holds a password or a query") as caught:
            run_study(parse_study(far(location)), tmp_path / "run")
        assert KEY not in str(caught.value) + contents(tmp_path)


def test_a_study_cannot_send_off_other_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    study = parse_study(far("http://127.0.0.1:9/v1", api_key_env="AWS_SECRET_ACCESS_KEY"))
    with pytest.raises(UserError, match="api_key_env must name a variable with API_KEY"):
        run_study(study, tmp_path / "run")


# ── Files to import ──────────────────────────────────────────────────────────────────────────────────────────
DEEP = "[" * 100_000
CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "nested without end": (lambda text: text.replace('"x"', DEEP).replace("0.5", DEEP), "nested too deeply"),
    "a number of 5000 digits": (lambda text: text.replace("0.5", "9" * 5000), "cannot be read as JSON"),
    "shots beyond counting": (lambda text: text.replace('"n-shot": {"t": 0}', f'"n-shot": {{"t": 1{"0" * 300}}}'),
                              "shots: is too large to be a count"),
    "items beyond counting": (lambda text: text.replace('"effective": 2', f'"effective": 1{"0" * 300}'),
                              "n: is too large to be a count"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_json_that_would_break_its_reader_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    change, message = CHANGES[name]
    with pytest.raises(UserError, match=message) as caught:
        imported(tmp_path, change=change)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_numbers_no_float_holds_are_missing_and_never_zero(tmp_path: Path) -> None:
    huge = "1" + "0" * 400
    run = imported(tmp_path, change=lambda text: text.replace("0.5", huge).replace('"acc": 1', '"acc": 1e999'))
    curves = pl.read_parquet(run.curves).filter(metric="acc")
    assert curves["y"].to_list() == [None]


def test_half_characters_are_replaced_wherever_they_come_from(tmp_path: Path) -> None:
    half = '"x\\ud800y \\ud83d\\ude00 \\\\ud800"'
    run = imported(tmp_path, change=lambda text: text.replace('"x"', half))
    (record,) = (record for record in run.read_manifest()["cells"])
    cell = Cell(*(record[name] for name in ("family", "rung", "task", "strategy", "shots", "seed")))
    ((_, answer), _) = read_cell(run, cell, {int(index): key for index, key in record["parts"].items()})
    assert answer.text == "x\ufffdy 😀 \\ud800"
    members = tmp_path / "members.json"
    members.write_text(f'{{"a": {half}}}')
    assert dict(json_members(members)) == {"a": answer.text}
    key = "0" * 16
    write_part(run, cell, 9, key, part_bytes(cell, [(Example("1", "\udc00"), Answer("1", "", samples=("\ud800",)))]))
    ((example, answer),) = read_cell(run, cell, {9: key})
    assert (example.input, answer.samples) == ("\ufffd", ("\ufffd",))


def test_archives_that_swell_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalecurve.io.zipped, "LARGEST_MEMBER", 1 << 20)
    monkeypatch.setattr(scalecurve.tasks.jsonfile, "LARGEST_UNPACKED", 1 << 20)
    bomb = tmp_path / "in" / "log.eval"
    bomb.parent.mkdir()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", " " * (2 << 20))
        archive.writestr("../../up.json", "{}")
    assert bomb.stat().st_size < 10_000
    with pytest.raises(UserError, match="larger than 1 MB unpacked"):
        import_run([bomb], tmp_path / "run")
    packed = tmp_path / "in" / "task.json.gz"
    packed.write_bytes(gzip.compress(b" " * (2 << 20)))
    with pytest.raises(UserError, match="larger than 1 MB unpacked"):
        scalecurve.tasks.jsonfile.read_text(packed)
    assert files(tmp_path) == {bomb, packed}, "nothing is unpacked beside them"


def test_yaml_makes_no_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text("task: !!python/object/apply:os.system ['touch owned']\n")
    with pytest.raises(UserError, match="not valid YAML"):
        load_tasks(f"lm-eval:{tmp_path / 't.yaml'}")
    assert not (tmp_path / "owned").exists()


def test_a_models_own_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    from safetensors.numpy import save_file

    from scalecurve.models import open_model, resolve_rung

    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "weights"
    folder.mkdir()
    auto = {"AutoConfig": "evil.A", "AutoModelForCausalLM": "evil.B", "AutoTokenizer": ["evil.C", None]}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": auto}))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\n")
    save_file({}, folder / "model.safetensors")
    with pytest.raises(UserError, match="cannot be loaded"):
        open_model(resolve_rung(str(folder)), device="cpu")
    assert not (tmp_path / "owned").exists()


# ── Runs from elsewhere ──────────────────────────────────────────────────────────────────────────────────────
def test_the_key_of_a_part_leads_nowhere_else(tmp_path: Path) -> None:
    run = imported(tmp_path)
    cell = Cell("f", "r", "t", "direct", 0)
    for index, key in ((0, "../../../../up"), (0, "0" * 15 + "/"), (-1, "0" * 16)):
        with pytest.raises(UserError, match="is not the key of a part"):
            part_path(run, cell, index, key)
    folder = tmp_path / "out"
    export(run, "parquet", str(folder))
    outputs = pl.read_parquet(folder / "outputs.parquet").with_columns(part_key=pl.lit("x/../../../../../up"))
    outputs.write_parquet(folder / "outputs.parquet")
    index = json.loads((folder / INDEX).read_text())
    index["files"]["outputs.parquet"] = hashlib.sha256((folder / "outputs.parquet").read_bytes()).hexdigest()
    (folder / INDEX).write_text(json.dumps(index))
    before = files(tmp_path)
    with pytest.raises(UserError, match="is not the key of a part"):
        read_tidy_run(folder, RunDirectory(tmp_path / "again"))
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("mlflow", "wandb")])
def test_names_from_elsewhere_lead_out_of_no_export(name: str, tmp_path: Path) -> None:
    if name == "tensorboard":
        pytest.importorskip("tensorboard")
    inside = tmp_path / "a" / "b" / "c"
    run = RunDirectory(inside / "run")
    scores = {"multiple_choice_grade": 0.5}
    leaf = TaskScore("../../../up", 0, scores, "multiple_choice_grade", 0.0, 1.0)
    model = ModelData("..", "../../../up\0", 10, 10, 10)
    import_score_files([ScoreFile("../../../up", model, (leaf,))], run)
    curves = pl.read_parquet(run.curves).with_columns(strategy=pl.lit("../../../up"), y=pl.lit(0.5))
    curves = pl.concat([curves, curves.with_columns(shots=pl.lit(1, dtype=pl.Int64))])
    curves.write_parquet(run.curves)
    run.published_points.parent.mkdir(exist_ok=True)
    curves.with_columns(seed=pl.lit(0), file=pl.lit("../../../up")).write_parquet(run.published_points)
    if name == "eval-results":  # only benchmarks of the Hub have a place there
        with pytest.raises(UserError, match="holds no preferred score of a benchmark of the Hub"):
            export(run, name, str(inside / "out"), Wanted())
        assert {path.name for path in inside.iterdir()} == {"run"}
        return
    export(run, name, str(inside / "out"), Wanted(strategy="../../../up" if name == "bigbench" else ""))
    assert files(inside / "out")
    assert all(path.is_relative_to(inside) for path in files(tmp_path))
    assert {path.name for path in inside.iterdir()} == {"run", "out"}
    run.write_manifest(run.read_manifest() | {"finished": "/../../../up"})
    if name == "lm-eval":
        with pytest.raises(UserError, match=r"finished: '/[./]+/up' is no date"):
            export(run, name, str(inside / "dated"))
        assert not (inside / "dated").exists()


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    for text in (DEEP, "[1]", "{", "{}", '{"cells":5}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(UserError, match=r"manifest\.json: .*; delete it and run the study again"):
            open_run(tmp_path).read_manifest()


def test_a_query_reads_a_run_by_its_tables_only(tmp_path: Path) -> None:
    from scalecurve.query.session import Session

    run = imported(tmp_path, text="it's")
    session = Session(runs=[run.path])
    try:
        assert session.run("SELECT DISTINCT text FROM outputs").table.to_pylist() == [{"text": "it's"}]
        for place in (f"read_parquet('{run.scores}')", f"'{run.manifest}'", "__run_0_outputs"):
            with pytest.raises(UserError):
                session.run(f"SELECT * FROM {place}")
    finally:
        session.close()


def test_a_view_in_an_attached_database_reaches_no_file(tmp_path: Path) -> None:
    import duckdb

    from scalecurve.query.session import Session

    (tmp_path / "secret.csv").write_text("a\nsecret\n")
    with duckdb.connect(tmp_path / "evil.duckdb") as made:
        made.execute(f"CREATE VIEW v AS SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
        made.execute(f"CREATE MACRO m() AS TABLE SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    session = Session(attach={"evil": tmp_path / "evil.duckdb"})
    try:
        for place in ("evil.v", "evil.m()"):
            with pytest.raises(UserError):
                session.run(f"SELECT * FROM {place}")
    finally:
        session.close()


# ── What is shown and written ────────────────────────────────────────────────────────────────────────────────
COMMANDS = [
    ["curves"], ["curves", "--json"], ["verdicts"], ["verdicts", "--json"],
    ["query", "SELECT task, text FROM outputs"], ["query", "SELECT task, text FROM outputs", "--json"],
    ["query", "SELECT task, text FROM outputs", "--csv"], ["curves", "--task", EVIL], ["report"],
]  # fmt: skip


@pytest.fixture(scope="module")
def evil_run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return imported(tmp_path_factory.mktemp("evil"), other=EVIL, text=EVIL)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:30])
def test_nothing_steers_the_terminal(
    command: list[str], evil_run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--run", str(evil_run.path), "--no-cache"] if command[0] == "query" else [str(evil_run.path)]
    monkeypatch.setattr(sys, "argv", ["scalecurve", command[0], *run, *command[1:]])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr()
    shown = said.out + said.err
    assert stop.value.code in (0, None), shown
    assert "owned" in shown or command == ["report"]
    assert not set(shown) & set("\x1b\x07\x9b\u202e\r")
    if "--json" in command:
        assert any(EVIL in text for row in json.loads(said.out) for text in map(str, row.values())), "to the letter"


def test_errors_do_not_steer_the_terminal() -> None:
    command = [sys.executable, "-c", "from scalecurve.cli import main; main()", "curves", f"no\x1b[31m such{EVIL}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONUTF8": "1"})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "⟨U+001B⟩" in done.stderr
    assert not set(done.stderr) & set("\x1b\x07\x9b\u202e\r")


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    texts = ["=1+1", "+A1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=1", "-5", "+3.5e-2", "-0.5%", "plain", "'=1", None]
    safe = for_csv(pl.DataFrame({"=head": texts, "n": [-1.5] * len(texts), "l": [["=1"]] * len(texts)}))
    assert safe.columns == ["'=head", "n", "l"]
    assert safe["'=head"].to_list() == [*(f"'{text}" for text in texts[:7]), *texts[7:]]
    assert safe["n"].to_list() == [-1.5] * len(texts)
    run = imported(tmp_path, other="=cmd", text="=cmd|' /C calc'!A0")
    export(run, "csv", str(tmp_path / "out"))
    outputs = pl.read_csv(tmp_path / "out" / "outputs.csv", infer_schema=False)
    assert set(outputs["text"]) == {"'=cmd|' /C calc'!A0"}
    for path in (tmp_path / "out").glob("*.csv"):
        cells = pl.read_csv(path, infer_schema=False)
        assert not cells.select(pl.all().str.contains(r"^[=@\t\r]").any()).row(0).count(True), path


# ── The page that says so ────────────────────────────────────────────────────────────────────────────────────
def test_every_claim_of_the_security_page_has_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`tests/" in line]
    assert len(rows) > 30
    for row in rows:
        for file, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row):
            text = (ROOT / file).read_text()
            assert not test or f"def {test}(" in text, f"{file}::{test}"
