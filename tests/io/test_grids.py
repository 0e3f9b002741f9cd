"""Tables that begin otherwise than with a row of names, in files of other kinds, packed, and linked."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from cases import acc, result
from command_line import Call

from scalecurve.errors import UserError
from scalecurve.io.importing import Imported, import_run
from scalecurve.io.sources import Said

SIZES = ("110m", "350m", "1.3b")
MODELS = tuple(f"mymodel-{size}" for size in SIZES)
ARC, PIQA = (40.5, 46.5, 52.5), (55.5, 60.5, 65.5)
RIGHT = {"arc_easy": [0.405, 0.465, 0.525], "piqa": [0.555, 0.605, 0.655]}


def found_in(path: Path, run: Path, **more: Any) -> tuple[dict[str, list[float]], Imported]:
    """Task → scores, the smallest model first; and what the import told."""
    done = import_run([path], run, **more)
    found: dict[str, list[float]] = {}
    for row in pl.read_parquet(run / "curves.parquet").sort("params_total").iter_rows(named=True):
        found.setdefault(row["task"].rpartition(":")[2], []).append(row["y"])
    return found, done


def rows(*more: Any) -> str:
    return "".join(f"{name},{arc},{piqa}\n" for name, arc, piqa in zip(MODELS, ARC, PIQA, strict=True))


ACROSS = f",{','.join(MODELS)}\narc_easy,{','.join(map(str, ARC))}\npiqa,{','.join(map(str, PIQA))}\n"
MARKDOWN = "# Ours\n\nText | with a bar.\n\n| Model | arc_easy | piqa |\n|:--|--:|:-:|\n" + "".join(
    f"| `{name}` | **{arc}** | {piqa} ± 1.1 |\n" for name, arc, piqa in zip(MODELS, ARC, PIQA, strict=True)
)
TEXTS = {
    "title.csv": "Results of 2026,,\n\nmodel,arc_easy,piqa\n" + rows(),
    "comments.csv": "# made by a script\n# seed 3\nmodel,arc_easy,piqa\n" + rows(),
    "groups.csv": ",Reasoning,Physics\nModel,arc_easy,piqa\n" + rows(),
    "merged.csv": "Model,arc_easy,,piqa,\n,acc,acc_stderr,acc,acc_stderr\n"
    + "".join(f"{name},{arc},1.0,{piqa},1.1\n" for name, arc, piqa in zip(MODELS, ARC, PIQA, strict=True)),
    "merged_above.csv": ",arc_easy,,piqa,\nModel,acc,stderr,acc,stderr\n"
    + "".join(f"{name},{arc},1.0,{piqa},1.1\n" for name, arc, piqa in zip(MODELS, ARC, PIQA, strict=True)),
    "across.csv": "Benchmark" + ACROSS + "Average,48,53.5,59\n",
    "corner.tsv": ACROSS.replace(",", "\t"),
    "chinese.csv": "任务" + ACROSS + "平均,48,53.5,59\n",
    "shots.csv": "Task,Shots," + ACROSS[1:].replace("arc_easy,", "arc_easy,0,").replace("piqa,", "piqa,0,"),
    "README.md": MARKDOWN,
    "records.json": json.dumps(
        [{"model": m, "metrics": {"arc_easy": a, "piqa": p}} for m, a, p in zip(MODELS, ARC, PIQA, strict=True)]
    ),
    "by_model.json": json.dumps(
        {m: {"arc_easy": a, "piqa": p} for m, a, p in zip(MODELS, ARC, PIQA, strict=True)}
    ),
    "by_task.json": json.dumps(
        {task: dict(zip(MODELS, own, strict=True)) for task, own in (("arc_easy", ARC), ("piqa", PIQA))}
    ),
    "by_metric.json": json.dumps(
        {m: {"arc_easy": {"acc": a, "acc_stderr": 1.0}, "piqa": {"acc": p}}
         for m, a, p in zip(MODELS, ARC, PIQA, strict=True)}
    ),
    "chinese_merged.tsv": "模型\t参数量\tarc_easy\t\tpiqa\t\n\t\t准确率\t标准误\t准确率\t标准误\n" + "".join(
        f"{m}\t{n}亿\t{a}\t1.0\t{p}\t1.1\n" for m, n, a, p in zip(MODELS, (1.1, 3.5, 13), ARC, PIQA, strict=True)
    ),
    "two.md": f"| | {' | '.join(MODELS)} |\n|--|--|--|--|\n| arc_easy | {' | '.join(map(str, ARC))} |\n\nAnd:\n\n"
    f"| | {' | '.join(MODELS)} |\n|--|--|--|--|\n| piqa | {' | '.join(map(str, PIQA))} |\n",
    "nested.jsonl": "".join(
        json.dumps({"model": m, "task": t, "metrics": {"acc": v}}) + "\n"
        for t, own in (("arc_easy", ARC), ("piqa", PIQA)) for m, v in zip(MODELS, own, strict=True)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_the_same_scores_wherever_and_however_the_table_stands(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(TEXTS[name])
    found, done = found_in(tmp_path / name, tmp_path / "run")
    assert found == {task: pytest.approx(values) for task, values in RIGHT.items()}
    assert not done.missing


def test_errors_below_merged_headings_are_those_of_their_scores(tmp_path: Path) -> None:
    for name in ("merged.csv", "merged_above.csv"):
        (tmp_path / name).write_text(TEXTS[name])
        found_in(tmp_path / name, tmp_path / name.partition(".")[0])
        curves = pl.read_parquet(tmp_path / name.partition(".")[0] / "curves.parquet")
        found = {(r["task"], r["metric"], round(r["se"], 6)) for r in curves.iter_rows(named=True)}
        assert found == {("leaderboard:arc_easy", "acc", 0.01), ("leaderboard:piqa", "acc", 0.011)}


PRINTED = """hf (pretrained=me/mymodel-350m,dtype=float16), gen_kwargs: (None), limit: None, num_fewshot: None
|  Tasks  |Version|     Filter     |n-shot|  Metric   |   |Value |   |Stderr|
|---------|------:|----------------|-----:|-----------|---|-----:|---|-----:|
|arc_easy |      1|none            |     5|acc        |↑  |0.6000|±  |0.0101|
|         |       |none            |     5|acc_norm   |↑  |0.5500|±  |0.0102|
| - gsm8k |      3|strict-match    |     5|exact_match|↑  |0.0100|±  |0.0027|
"""


def test_the_table_that_the_harness_prints(tmp_path: Path) -> None:
    (tmp_path / "out.md").write_text(PRINTED)
    import_run([tmp_path / "out.md"], tmp_path / "run")
    curves = pl.read_parquet(tmp_path / "run" / "curves.parquet")
    assert {(r["rung"], r["task"], r["metric"], r["y"], r["se"], r["shots"]) for r in curves.iter_rows(named=True)} == {
        ("mymodel-350m", "arc_easy", "acc", 0.6, 0.0101, 5),
        ("mymodel-350m", "arc_easy", "acc_norm", 0.55, 0.0102, 5),
        ("mymodel-350m", "gsm8k", "exact_match,strict-match", 0.01, 0.0027, 5),
    }


def test_other_tables_of_a_page_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.md").write_text(MARKDOWN + "\n| Model | Hours |\n|--|--|\n| mymodel-110m | 3 |\n")
    found, done = found_in(tmp_path / "r.md", tmp_path / "run")
    assert set(found) == {"arc_easy", "piqa"}
    assert any("1 more tables with other columns are left out" in note for note in done.notes)


def test_a_table_without_models_takes_the_one_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("task,acc\npiqa,0.6\narc_easy,0.5\n")
    import_run([tmp_path / "t.csv"], tmp_path / "run", said=Said(model="me/mymodel-1.3b"))
    assert set(pl.read_parquet(tmp_path / "run" / "curves.parquet")["rung"]) == {"mymodel-1.3b"}


def test_a_summary_beside_results_is_left_out(tmp_path: Path) -> None:
    result(tmp_path / "in", "me/mymodel-1.3b", {"piqa": acc(0.6)})
    (tmp_path / "in" / "README.md").write_text(MARKDOWN)
    done = import_run([tmp_path / "in"], tmp_path / "run")
    assert done.scores == 1
    assert any("README.md" in note and "left out" in note for note in done.notes)


# ── Packed and linked ────────────────────────────────────────────────────────────────────────────────────────
PACK: dict[str, Any] = {
    "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", PACK)
def test_packed_results_find_their_answers_packed_or_not(kind: str, tmp_path: Path) -> None:
    name = "2025-01-01T00-00-00"
    path = result(tmp_path / "in" / "deep", "me/mymodel-1.3b", {"quiz": acc(0.5)}, n=2)
    lines = [
        {"doc_id": at, "doc": {"q": at}, "target": "1", "arguments": [["Q", {"until": []}]], "resps": [["1"]],
         "filtered_resps": ["1"], "doc_hash": f"h{at}", "acc": float(at)} for at in (0, 1)
    ]  # fmt: skip
    samples = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (path.parent / f"samples_quiz_{name}.jsonl.{kind}").write_bytes(PACK[kind](samples))
    done = import_run([tmp_path / "in"], tmp_path / "run")
    assert (done.scores, done.answers, done.left_out) == (1, 2, ())
    (path.parent / f"{path.name}.{kind}").write_bytes(PACK[kind](path.read_bytes()))
    again = import_run([tmp_path / "in"], tmp_path / "again")  # packed beside the plain one: the same file
    assert (again.scores, again.answers) == (1, 2)
    path.unlink()
    alone = import_run([tmp_path / "in"], tmp_path / "alone")
    assert (alone.scores, alone.answers) == (1, 2)


def test_an_archive_of_a_results_folder(tmp_path: Path, call: Call) -> None:
    path = result(tmp_path / "a", "me/mymodel-1.3b", {"piqa": acc(0.6)})
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as archive:
        archive.write(path, "out/a/results_2025-01-01T00-00-00.json")
        archive.writestr("../outside.json", path.read_text())
        archive.writestr("__MACOSX/out/._x.json", b"\0")
    said = call("import", "auto", str(tmp_path / "results.zip"), "--into", str(tmp_path / "run"))
    assert (said.code, "1 scores and" in said.out) == (0, True)
    assert not (tmp_path / "outside.json").exists()


@pytest.mark.parametrize(
    "name", ["out.tar", "out.tar.gz", "out.tgz", "out.tar.bz2", "out.tbz2", "out.tar.xz", "out.txz", "out.tar.zst"]
)
def test_a_tar_archive_of_a_results_folder(name: str, tmp_path: Path) -> None:
    path = result(tmp_path / "a", "me/mymodel-1.3b", {"piqa": acc(0.6)})
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w") as archive:
        archive.add(path, "out/a/results_2025-01-01T00-00-00.json")
        for evil in ("../outside.json", "/tmp/outside.json", "out/._results_1.json"):
            info = archive.gettarinfo(path)
            info.name = evil
            archive.addfile(info, io.BytesIO(path.read_bytes()))
        link = tarfile.TarInfo("out/results_2.json")
        link.type, link.linkname = tarfile.SYMTYPE, str(path)
        archive.addfile(link)
    ending = "gz" if name.endswith("gz") else "bz2" if name.endswith("bz2") else name.rpartition(".")[2].lstrip("t")
    packed = inside.getvalue() if name == "out.tar" else PACK[ending](inside.getvalue())
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(packed)
    for given in (tmp_path / "in" / name, tmp_path / "in"):
        done = import_run([given], tmp_path / f"run-{given.name}")
        assert (done.scores, done.files) == (1, 1)
    assert not (tmp_path / "outside.json").exists()


def test_hostile_archives_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tarfile.TarInfo("x")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 1 << 24
    (tmp_path / "long.tgz").write_bytes(gzip.compress(long.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 24)))
    for name in ("many.tgz", "large.tgz", "cut.tgz"):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            for at in range(4):
                info = tarfile.TarInfo(f"results_{at}.json")
                info.size = 1 << 20
                archive.addfile(info, io.BytesIO(bytes(1 << 20)))
    (tmp_path / "cut.tgz").write_bytes((tmp_path / "cut.tgz").read_bytes()[:-600])
    monkeypatch.setattr("scalecurve.io.packed.MOST_FILES", 3)
    for name, said in {"long": "a name in it is very long", "many": "more than 3 files"}.items():
        with pytest.raises(UserError, match=rf"{name}\.tgz: cannot be unpacked.*{said}"):
            import_run([tmp_path / f"{name}.tgz"], tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"cut\.tgz: cannot be unpacked.*cut off"):
        import_run([tmp_path / "cut.tgz"], tmp_path / "run")
    monkeypatch.setattr("scalecurve.io.packed.LARGEST", 3 << 20)
    with pytest.raises(UserError, match=r"large\.tgz: cannot be unpacked \(it is too large unpacked"):
        import_run([tmp_path / "large.tgz"], tmp_path / "run")


def test_messages_name_the_packed_files_as_they_were_given(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "results_1.json.gz").write_bytes(gzip.compress(b'{"results": '))
    with pytest.raises(UserError, match=f"^{tmp_path}/in/results_1.json: cannot be read as JSON"):
        import_run([tmp_path / "in"], tmp_path / "run")
    (tmp_path / "in" / "results_1.json.gz").write_bytes(gzip.compress(b"{}")[:-6])
    with pytest.raises(UserError, match=f"^{tmp_path}/in/results_1.json.gz: cannot be unpacked"):
        import_run([tmp_path / "in"], tmp_path / "run")


def test_other_archives_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all.7z").write_bytes(b"x")
    with pytest.raises(UserError, match=r"holds no .*; unpack all\.7z"):
        import_run([tmp_path / "in"], tmp_path / "run")


def test_linked_folders_are_read_once_and_circles_end(tmp_path: Path) -> None:
    result(tmp_path / "real" / "a", "me/mymodel-350m", {"piqa": acc(0.6)})
    result(tmp_path / "real" / "b", "me/mymodel-1.3b", {"piqa": acc(0.7)})
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "real" / "a", tmp_path / "in" / "a")
    os.symlink(tmp_path / "real" / "b", tmp_path / "in" / "b")
    os.symlink(tmp_path / "in", tmp_path / "in" / "circle")
    os.symlink(tmp_path / "gone.json", tmp_path / "in" / "gone.json")
    done = import_run([tmp_path / "in"], tmp_path / "run")
    assert (done.scores, done.files) == (2, 2)
