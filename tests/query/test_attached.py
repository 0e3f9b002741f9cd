"""Tables from what people keep their data in: SQLite files, folders of Hugging Face data sets, servers (refused)."""

import sqlite3
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from scalecurve.errors import UserError

from .helpers import Told, rows, session

YES = Told(lambda question: "yes")


def test_sqlite_tables_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as made:
        made.execute('CREATE TABLE "re views" (id INTEGER, stars, text TEXT, raw BLOB, mixed)')
        made.executemany(
            'INSERT INTO "re views" VALUES (?, ?, ?, ?, ?)',
            [(1, 4, "good", b"\x00", 1), (2, 2.5, None, None, "one"), (2**60, None, "ü", b"\xff", 1.5)],
        )
        made.execute("CREATE TABLE none_yet (x TEXT)")
        made.execute("CREATE VIEW looked AS SELECT 1 AS one")
    made.close()
    before = path.read_bytes()
    asked = session(YES, {"shop": path})
    assert asked.tables() == {"shop.none_yet": ["x"], "shop.re_views": ["id", "stars", "text", "raw", "mixed"]}
    assert rows(asked, "SELECT id, stars, text, mixed FROM shop.re_views WHERE ai_filter('?', text) ORDER BY id") == [
        (1, 4.0, "good", "1"),
        (2**60, None, "ü", "1.5"),
    ]
    assert rows(asked, "SELECT count(*) FROM shop.none_yet") == [(0,)]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_databases_of_both_kinds_are_told_by_their_content(tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect(tmp_path / "d.db") as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS x")
    with sqlite3.connect(tmp_path / "s.db") as light:
        light.execute("CREATE TABLE t AS SELECT 2 AS x")
    light.close()
    asked = session(YES, {"d": tmp_path / "d.db", "s": tmp_path / "s.db"})
    assert rows(asked, "SELECT d.t.x, s.t.x FROM d.t, s.t") == [(1, 2)]


def test_splits_of_a_downloaded_data_set(tmp_path: Path) -> None:
    data = tmp_path / "films" / "data"
    data.mkdir(parents=True)
    for name, values in (("train-00000-of-00002", ["a", "b"]), ("train-00001-of-00002", ["c"]), ("test", ["d"])):
        pl.DataFrame({"x": values}).write_parquet(data / f"{name}.parquet")
    (tmp_path / "films" / "README.md").write_text("# Films")
    (tmp_path / "films" / "dataset_infos.json").write_text("{}")
    asked = session(YES, {"films": tmp_path / "films"})
    assert asked.tables() == {"films.test": ["x"], "films.train": ["x"]}
    assert rows(asked, "SELECT count(*) FROM films.train WHERE ai_filter('?', x)") == [(3,)]


def test_one_split_is_a_table(tmp_path: Path) -> None:
    for shard in ("0000", "0001"):
        (tmp_path / "films" / "default" / "train").mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"x": [shard]}).write_parquet(tmp_path / "films" / "default" / "train" / f"{shard}.parquet")
    assert rows(session(YES, {"films": tmp_path / "films"}), "SELECT x FROM films ORDER BY x") == [("0000",), ("0001",)]


@pytest.mark.parametrize("stream", [True, False])
def test_saved_data_sets(tmp_path: Path, stream: bool) -> None:
    """As ``save_to_disk`` leaves them: Arrow streams in a folder for each split."""
    for split, values in (("train", ["a", "b"]), ("test", ["c"])):
        (tmp_path / "s" / split).mkdir(parents=True)
        (tmp_path / "s" / split / "state.json").write_text("{}")
        table = pa.table({"x": values})
        opened = pa.ipc.new_stream if stream else pa.ipc.new_file
        with opened(tmp_path / "s" / split / "data-00000-of-00001.arrow", table.schema) as sink:
            sink.write_table(table)
    asked = session(YES, {"s": tmp_path / "s"})
    assert rows(asked, "SELECT x FROM s.train WHERE ai_filter('?', x) ORDER BY x") == [("a",), ("b",)]
    assert rows(asked, "SELECT x FROM s.test") == [("c",)]


def test_what_no_folder_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--attach f: .*: holds no file of \.csv"):
        session(YES, {"f": tmp_path})
    (tmp_path / "train.arrow").write_bytes(b"no arrow")
    with pytest.raises(UserError, match=r"--attach f: .*train\.arrow"):
        session(YES, {"f": tmp_path})
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "train.parquet")
    with pytest.raises(UserError, match=r"train is stored in several formats \(\.arrow, \.parquet\)"):
        session(YES, {"f": tmp_path})


def test_a_server_is_refused_without_its_password() -> None:
    with pytest.raises(UserError, match=r"--attach r: postgres://…: .*export the table to Parquet") as refused:
        session(YES, {"r": "postgres://me:secret@host/films"})
    assert "secret" not in str(refused.value)
