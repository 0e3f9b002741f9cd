"""What is wrong with an input is one line, and nothing is half imported."""

import json
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from wrong_values import variants

from scalecurve.errors import UserError
from scalecurve.io import import_files
from scalecurve.io.zipped import Archive
from scalecurve.store import RunDirectory, read_outputs
from scalecurve.store.atomic import whole_directory

FILES = Path(__file__).resolve().parents[1] / "fixtures" / "harness"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A copy of what lm-evaluation-harness wrote of one model."""
    return Path(shutil.copytree(FILES / "lm_eval" / "lab-3k", tmp_path / "in"))


def edit(path: Path, change: Callable[[dict[str, Any]], Any], at: int = 2) -> None:
    """Change one line of a JSON-lines file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows[at])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def choice(folder: Path) -> Path:
    return next(folder.glob("samples_tiny_choice_*"))


def cut(path: Path, share: float = 0.7) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a line is cut off": (lambda lab: cut(choice(lab)), r"samples_tiny_choice.*: line \d: is cut off"),
    "the results are cut off": (lambda lab: cut(next(lab.glob("results_*"))), "results_.*cut off"),
    "a field is missing": (
        lambda lab: edit(choice(lab), lambda row: row.pop("resps")),
        r"samples_tiny_choice.*: line 3: resps: is missing",
    ),
    "a document is there twice": (
        lambda lab: edit(choice(lab), lambda row: row.update(doc_id=0)),
        r"samples_tiny_choice.* answers '0' twice",
    ),
    "a line is a list": (lambda lab: choice(lab).write_text("[]\n"), "line 1: must be a JSON object"),
    "responses are none": (
        lambda lab: edit(choice(lab), lambda row: row.update(resps=[])),
        "line 3: resps: must be a list of responses",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_of_samples(name: str, lab: Path, tmp_path: Path) -> None:
    damage, message = DAMAGE[name]
    damage(lab)
    with pytest.raises(UserError, match=message) as caught:
        import_files([lab], RunDirectory(tmp_path / "run"))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


OTHERS: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "parquet": ("lighteval", lambda at: cut(next(at.rglob("details_*"))), "details_.*cannot be read as Parquet"),
    "no model": (
        "lighteval",
        lambda at: patch(next(at.rglob("results_*")), lambda doc: doc["config_general"].clear()),
        "config_general.model_name: is missing",
    ),
    "prediction": (
        "opencompass",
        lambda at: cut(next(at.rglob("predictions/*/tiny_ppl.json"))),
        "tiny_ppl.json.*cut off",
    ),
    "no prediction": (
        "opencompass",
        lambda at: patch(next(at.rglob("predictions/*/tiny_gen.json")), lambda doc: doc["3"].pop("prediction")),
        "3.prediction: is missing",
    ),
    "archive": ("inspect", lambda at: cut(at / "open_real.eval"), "open_real.eval: cannot be read as a ZIP archive"),
    "member": ("inspect", lambda at: spoil(at / "open_real.eval"), "open_real.eval: .*cannot be read"),
    "stats": ("helm", lambda at: next(at.rglob("stats.json")).unlink(), "stats.json is not beside it"),
    "state": ("helm", lambda at: cut(next(at.rglob("scenario_state.json"))), "scenario_state.json.*cut off"),
    "adapter": (
        "helm",
        lambda at: patch(next(at.rglob("run_spec.json")), lambda doc: doc["adapter_spec"].pop("model")),
        "adapter_spec.model is missing",
    ),
}


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("helm", "scenario_state.json"),
        ("helm", "per_instance_stats.json"),
        ("lighteval", "results_*.json"),
        ("opencompass", "predictions/*/tiny_ppl.json"),
        ("inspect", "letters_canned.json"),
    ],
)
def test_another_thing_in_the_place_of_a_field(source: str, file: str, tmp_path: Path) -> None:
    shutil.copytree(FILES / source, tmp_path / "in", ignore=shutil.ignore_patterns("*.eval"))
    path = next((tmp_path / "in").rglob(file))
    wrong = [content for _, content in variants(json.loads(path.read_text()), (1.5, [[]]))]
    for content in Random(0).sample(wrong, 12):
        path.write_text(json.dumps(content))
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        try:
            import_files([tmp_path / "in"], RunDirectory(tmp_path / "run"))
        except UserError as error:
            said = str(error)
            assert "\n" not in said
            assert not (tmp_path / "run").exists()


def patch(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def spoil(path: Path) -> None:
    """Change bytes in the middle of a sample's data, which the archive's checksum knows."""
    with zipfile.ZipFile(path) as archive:
        sample = next(info for info in archive.infolist() if info.filename.startswith("samples/"))
    data = bytearray(path.read_bytes())
    middle = sample.header_offset + 30 + len(sample.filename) + sample.compress_size // 2
    data[middle : middle + 20] = bytes(20)
    path.write_bytes(data)


@pytest.mark.parametrize("name", OTHERS)
def test_damage_of_other_formats(name: str, tmp_path: Path) -> None:
    source, damage, message = OTHERS[name]
    shutil.copytree(FILES / source, tmp_path / "in", ignore=shutil.ignore_patterns("letters_*", "open_error*"))
    damage(tmp_path / "in")
    with pytest.raises(UserError, match=message) as caught:
        import_files([tmp_path / "in"], RunDirectory(tmp_path / "run"))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("seed", range(8))
def test_damage_of_a_deflated_member(seed: int, tmp_path: Path) -> None:
    """zlib has errors of its own, and damaged heads ask for compressions that nobody knows."""
    path, random = tmp_path / "log.eval", Random(seed)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps([random.random() for _ in range(200)]))
    data = bytearray(path.read_bytes())
    for _ in range(3):
        data[random.randrange(45, len(data) // 2)] ^= 1 + random.randrange(255)
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"log.eval: header.json: cannot be read"):
        Archive(path).json("header.json")


def test_scores_and_log_probabilities_that_are_not_finite(lab: Path, tmp_path: Path) -> None:
    """-inf is a log-probability, nan and inf are not; a NaN score is counted, and never zero."""

    def spoiled(logs: list[str]) -> Callable[[dict[str, Any]], None]:
        return lambda row: row.update(resps=[[[one, "False"]] for one in logs], acc=float("nan"))

    edit(choice(lab), spoiled(["-inf", "-1", "-2", "-3"]), 1)
    edit(choice(lab), spoiled(["nan", "-1", "-2", "-3"]), 2)
    edit(choice(lab), spoiled(["inf", "-1", "-2", "-3"]), 3)
    patch(next(lab.glob("results_*")), lambda doc: doc["results"]["tiny_choice"].pop("acc,none"))
    run = RunDirectory(tmp_path / "run")
    done = import_files([lab], run)
    assert "lm-eval:tiny_choice acc of lab-3k: 3 of 8 items have no score" in done.missing
    rows = {row["metric"]: row for row in pl.read_parquet(run.curves).iter_rows(named=True) if "choice" in row["task"]}
    assert (rows["acc"]["n"], rows["acc"]["failed"]) == (5, 3)
    assert (rows["multiple_choice_grade"]["n"], rows["multiple_choice_grade"]["failed"]) == (6, 2)
    values = pl.read_parquet(run.scores).filter(pl.col("metric") == "acc", pl.col("task") == "lm-eval:tiny_choice")
    assert values["value"].null_count() == 3


def test_models_that_were_asked_different_questions(lab: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(FILES / "lm_eval" / "lab-1m", tmp_path / "other"))
    edit(choice(other), lambda row: row.update(doc_hash="0" * 64))
    with pytest.raises(UserError, match="question '2' differs from that of another file"):
        import_files([lab, other], RunDirectory(tmp_path / "run"))
    shutil.copytree(FILES / "lm_eval" / "lab-1m", other, dirs_exist_ok=True)
    patch(next(other.glob("results_*")), lambda doc: doc["configs"]["tiny_choice"].update(doc_to_text="{{question}}"))
    with pytest.raises(
        UserError, match=r"tiny_choice was asked with another doc_to_text than .*import them into two runs"
    ):
        import_files([lab, other], RunDirectory(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_samples_of_another_evaluation_are_noticed(lab: Path, tmp_path: Path) -> None:
    patch(next(lab.glob("results_*")), lambda doc: doc["results"]["tiny_choice"].update({"acc,none": 0.9}))
    patch(next(lab.glob("results_*")), lambda doc: doc["n-samples"]["tiny_cloze"].update(effective=10))
    run = RunDirectory(tmp_path / "run")
    done = import_files([lab], run)
    assert any("acc of lm-eval:tiny_choice" in note and "samples say 0.25" in note for note in done.notes)
    assert any("tiny_cloze" in note and "8 of 10 samples are there" in note for note in done.notes)
    scores = pl.read_parquet(run.scores)
    assert scores.filter(pl.col("task") == "lm-eval:tiny_choice", pl.col("metric") == "acc").is_empty()
    row = pl.read_parquet(run.curves).filter(pl.col("task") == "lm-eval:tiny_cloze", pl.col("metric") == "acc")
    assert row["failed"].to_list() == [2]


def test_seeds_are_kept_apart_and_averaged(lab: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(lab, tmp_path / "other"))
    patch(next(other.glob("results_*")), lambda doc: doc["config"].update(fewshot_seed=7))
    patch(next(other.glob("results_*")), lambda doc: doc["results"]["tiny_text"].update({"bits_per_byte,none": 4.0}))
    run = RunDirectory(tmp_path / "run")
    import_files([lab, other], run)
    own = json.loads(next(lab.glob("results_*")).read_text())["results"]["tiny_text"]["bits_per_byte,none"]
    rows = pl.read_parquet(run.curves).filter(metric="bits_per_byte", task="lm-eval:tiny_text")
    assert rows["y"].to_list() == [pytest.approx((own + 4.0) / 2, abs=1e-12)]
    assert read_outputs(run).collect()["seed"].unique().sort().to_list() == [7, 1234]


def test_files_in_other_layouts(lab: Path, tmp_path: Path) -> None:
    (lab / "notes.json").write_text('{"a": 1}')
    (lab / "log.jsonl").write_text('{"a": 1}\n')
    done = import_files([lab], RunDirectory(tmp_path / "run"))
    assert any("2 files in other layouts were left out" in note for note in done.notes)
    for path, message in (
        (lab / "notes.json", "not in the layout of"),
        (choice(lab), "is read along with the results"),
        (tmp_path / "none", "no such file or folder"),
    ):
        with pytest.raises(UserError, match=message):
            import_files([path], RunDirectory(tmp_path / "second"))
    with pytest.raises(UserError, match="unknown source; use auto or one of bigbench"):
        import_files([lab], RunDirectory(tmp_path / "second"), "helmet")
    with pytest.raises(UserError, match="in the layout of helm"):
        import_files([lab], RunDirectory(tmp_path / "second"), "helm")


def test_a_directory_that_is_there(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run = RunDirectory(tmp_path / "run")
    import_files([lab], run)  # an empty one may be filled
    with pytest.raises(UserError, match="is a run already"):
        import_files([lab], run)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    with pytest.raises(UserError, match="exists already"):
        import_files([lab], RunDirectory(tmp_path / "other"))


def test_an_import_that_is_killed_leaves_nothing_but_what_the_next_one_clears(tmp_path: Path) -> None:
    target = tmp_path / "run"
    script = (
        "import sys, time; from pathlib import Path; from scalecurve.store.atomic import whole_directory\n"
        "with whole_directory(Path(sys.argv[1])) as making:\n"
        "    (making / 'part').write_text('x'); print('ready', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".run.")
    with whole_directory(target) as making:
        (making / "whole").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_memory_does_not_grow_with_texts(tmp_path: Path) -> None:
    """Five times the text in the same number of documents takes hardly more memory (measured in its own process)."""
    peaks = []
    for length in (2_000, 40_000):
        folder = tmp_path / str(length)
        folder.mkdir()
        with open(folder / "samples_t_1.jsonl", "w") as file:
            for at in range(1500):
                ask = ("word " * length)[:length]
                row = {"doc_id": at, "doc": {}, "target": "x", "arguments": {"gen_args_0": {"arg_0": ask}},
                       "resps": [["x"]], "filtered_resps": ["x"], "filter": "none", "exact_match": 1.0}  # fmt: skip
                file.write(json.dumps(row) + "\n")
        patchless = {"results": {"t": {"exact_match,none": 1.0}}, "versions": {"t": 1}, "n-shot": {"t": 0},
                     "config": {"model_args": "pretrained=m/own"}}  # fmt: skip
        (folder / "results_1.json").write_text(json.dumps(patchless))
        code = (
            "import sys, resource; from scalecurve.io import import_run\n"
            "import_run([sys.argv[1]], sys.argv[2]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        )
        command = [sys.executable, "-c", code, str(folder), str(tmp_path / f"run{length}")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 57  # megabytes; the text grew by 57
