"""A whole run as a few tidy tables that other tools read, and back again without loss.

    <folder>/export.json        format, version, and the SHA-256 of every other file
    <folder>/outputs.parquet    one row an answer: cell, example, prompt, log-probabilities, texts, its part in the run
    <folder>/scores.parquet     one row a score: family, rung, task, strategy, shots, seed, example_id, metric, value,
                                and the rung's place on every axis of scale
    <folder>/curves.parquet     one row a point; verdicts.parquet: one row a curve
    <folder>/manifest.json, study.toml    as they are in the run

``csv`` writes the same tables as text, see ``store.csv_table``. Only ``parquet`` is read back.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve._version import __version__
from scalecurve.errors import UserError
from scalecurve.schema import AXES
from scalecurve.store import RunDirectory, read_table
from scalecurve.store.atomic import parquet_bytes, whole_directory
from scalecurve.store.csv_table import for_csv
from scalecurve.store.parts import CELL_FIELDS, cell_of, check_part, digest, part_path
from scalecurve.util.guard import regular
from scalecurve.util.untrusted import parsed

if TYPE_CHECKING:
    import polars as pl

FORMAT, VERSION, INDEX = "scalecurve run", 1, "export.json"
READ_ROWS = 16_384
_PART = re.compile(r"part-(\d{5})-([0-9a-f]{16})\.parquet")


# ── Out ──────────────────────────────────────────────────────────────────────────────────────────────────────
def write_parquet_tables(run: RunDirectory, out: Path) -> list[Path]:
    """Write ``out`` as described above; it must not exist, or be empty."""

    def outputs(path: Path) -> None:
        import polars as pl

        lazy = [_with_part(pl.scan_parquet(part, hive_partitioning=False), part) for part in _parts(run)]
        if lazy:
            pl.concat(lazy).sink_parquet(path, compression="zstd", maintain_order=True)

    return _write(run, out, "parquet", outputs, lambda frame, path: path.write_bytes(parquet_bytes(frame)))


def write_csv_tables(run: RunDirectory, out: Path) -> list[Path]:
    """Write the same tables as CSV."""

    def outputs(path: Path) -> None:
        import polars as pl

        with path.open("wb") as file:
            for number, part in enumerate(_parts(run)):
                frame = _with_part(pl.scan_parquet(part, hive_partitioning=False), part).collect()
                for_csv(frame).write_csv(file, include_header=not number)

    return _write(run, out, "csv", outputs, lambda frame, path: for_csv(frame).write_csv(path))


def _write(
    run: RunDirectory,
    out: Path,
    kind: str,
    outputs: Callable[[Path], None],
    write: Callable[[pl.DataFrame, Path], object],
) -> list[Path]:

    manifest = run.read_manifest()
    with whole_directory(out) as folder:
        if _parts(run):
            outputs(folder / f"outputs.{kind}")
        if run.scores.exists():
            write(_placed(read_table(run.scores), manifest["rungs"]), folder / f"scores.{kind}")
        for table in (run.curves, run.verdicts):
            if table.exists():
                write(read_table(table), folder / f"{table.stem}.{kind}")
        for file in (run.manifest, run.study):
            if file.exists():
                shutil.copyfile(file, folder / file.name)
        files = {path.name: _hash(path) for path in sorted(folder.iterdir())}
        index = {"format": FORMAT, "version": VERSION, "kind": kind, "scalecurve": __version__, "files": files}
        (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return [out / name for name in (*files, INDEX)]


def _parts(run: RunDirectory) -> list[Path]:
    """The parts that the manifest names, in its order; without a part that a cut run left behind."""
    found = []
    for record in run.read_manifest()["cells"]:
        cell, known = cell_of(record), record.get("hashes", {})
        for index, key in sorted((int(index), key) for index, key in record["parts"].items()):
            path = part_path(run, cell, index, key)
            if not path.exists():
                raise UserError(f"{path}: is named in {run.manifest} but missing; run the study again")
            found.append(check_part(path, known.get(key, "")))
    return found


def _with_part(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    import polars as pl

    match = _PART.fullmatch(path.name)
    assert match is not None
    return frame.with_columns(part=pl.lit(int(match[1]), dtype=pl.Int64), part_key=pl.lit(match[2]))


def _placed(scores: pl.DataFrame, rungs: list[dict[str, Any]]) -> pl.DataFrame:
    """Scores with their rung's value on every axis beside them."""
    import polars as pl

    types = {name: pl.Float64 if name in ("training_flops", "epoch", "loss") else pl.Int64 for name in AXES}
    rows = [
        {name: rung.get(name) for name in AXES} | {"family": rung["family"], "rung": rung["name"]} for rung in rungs
    ]
    places = pl.DataFrame(rows, schema={"family": pl.String, "rung": pl.String, **types}, orient="row")
    return scores.join(places, on=["family", "rung"], how="left", maintain_order="left")


# ── In ───────────────────────────────────────────────────────────────────────────────────────────────────────
def is_tidy_run(path: Path) -> bool:
    """Whether ``path`` is a folder that ``write_parquet_tables`` made."""
    return (path / INDEX).is_file()


def read_tidy_run(folder: Path, run: RunDirectory) -> None:
    """Make ``run`` of an exported folder: the same study, manifest, parts, scores, curves and verdicts.

    All files are checked against the folder's index before anything is written. Raises ``UserError`` otherwise.
    """
    import polars as pl

    files = _checked_index(folder)
    with whole_directory(run.path) as made:
        copy = RunDirectory(made)
        for name in ("manifest.json", "study.toml", "curves.parquet", "verdicts.parquet"):
            if name in files:
                shutil.copyfile(folder / name, made / name)
        if "scores.parquet" in files:
            scores = pl.read_parquet(folder / "scores.parquet").drop(AXES, strict=False)
            copy.scores.write_bytes(parquet_bytes(scores))
        if "outputs.parquet" in files:
            _keep_hashes(copy, _split(folder / "outputs.parquet", copy))


def _keep_hashes(run: RunDirectory, written: Mapping[str, Mapping[str, str]]) -> None:
    """Have the manifest say the hashes of the parts that were ``written`` here (cell → key → hash)."""
    manifest = run.read_manifest()
    records = [record | {"hashes": written.get(cell_of(record).key, {})} for record in manifest["cells"]]
    if records != manifest["cells"]:
        run.write_manifest(manifest | {"cells": records})


def _split(path: Path, run: RunDirectory) -> dict[str, dict[str, str]]:
    """The parts of a table of outputs as they stood in the run; some thousand rows are read at a time.

    Returns cell → key → hash of every part.
    """
    import polars as pl

    key = [*CELL_FIELDS, "part", "part_key"]
    table = pl.scan_parquet(path)
    lengths = table.select(key).collect().with_columns(stretch=pl.struct(key).rle_id()).group_by(
        "stretch", maintain_order=True
    ).agg(pl.len(), pl.first(*key))  # fmt: skip
    lengths = lengths.with_columns(start=pl.col("len").cum_sum() - pl.col("len"))
    lengths = lengths.with_columns(together=pl.col("start") // READ_ROWS)
    written: dict[str, dict[str, str]] = {}
    for _, own in lengths.group_by("together", maintain_order=True):
        first = own["start"][0]
        frame = table.slice(first, int(own["len"].sum())).drop("part", "part_key").collect()
        for row in own.iter_rows(named=True):
            data = parquet_bytes(frame.slice(row["start"] - first, row["len"]).rechunk())
            _put(run, row, data)
            written.setdefault(cell_of(row).key, {})[row["part_key"]] = digest(data)
    return written


def _put(run: RunDirectory, row: Mapping[str, Any], data: bytes) -> None:
    """Write one part; ``row`` says of which cell, its number and its key."""
    cell = cell_of(row)
    target = part_path(run, cell, row["part"], row["part_key"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _checked_index(folder: Path) -> dict[str, str]:
    """The files of an exported folder, all there and unchanged."""
    where = folder / INDEX
    try:
        index = parsed(regular(where, 1 << 28).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: cannot be read ({error}); export the run again") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT or not isinstance(index.get("files"), dict):
        raise UserError(f"{where}: format: is not {FORMAT!r}; give a folder made by `scalecurve export parquet`")
    if index.get("version") != VERSION:
        raise UserError(f"{where}: version: {index.get('version')!r} is not known here; use a newer scalecurve")
    if index.get("kind") != "parquet":
        raise UserError(f"{where}: kind: only parquet is read back; export the run as parquet")
    files: dict[str, str] = index["files"]
    for name, wanted in files.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise UserError(f"{folder / name}: is missing; copy the whole exported folder")
        if _hash(folder / name) != wanted:
            raise UserError(f"{folder / name}: is not what was exported (its SHA-256 differs); copy or export it again")
    if "manifest.json" not in files:
        raise UserError(f"{where}: files: names no manifest.json; export the run again")
    return files


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
