"""WHERE it is kept: the run directory.

<run>/study.toml        what was asked, resolved and frozen
<run>/manifest.json     versions, models, tasks, cells and how each ended
<run>/outputs/<cell>/   part-*.parquet, one row an example
<run>/scores.parquet    one row an example and metric      (derived; ``derive`` rebuilds it without a model)
<run>/curves.parquet    one row a rung of a curve          (derived)
"""

from scalecurve.store.directory import RunDirectory, open_run
from scalecurve.store.manifest import environment, task_of, task_record
from scalecurve.store.parts import finished_parts, part_totals, read_cell, read_outputs, read_record, write_part
from scalecurve.store.tables import read_table, reading, scan_table

__all__ = [
    "RunDirectory",
    "environment",
    "finished_parts",
    "open_run",
    "part_totals",
    "read_cell",
    "read_outputs",
    "read_record",
    "read_table",
    "reading",
    "scan_table",
    "task_of",
    "task_record",
    "write_part",
]
