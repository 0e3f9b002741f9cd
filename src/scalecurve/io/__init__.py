"""Results measured elsewhere, brought into a run directory that curves, verdicts and reports read.

A format is one module of ``readers`` with a function decorated ``@reader(name, role)``.
"""

from scalecurve.io.families import lines_to_add, match
from scalecurve.io.importing import Imported, import_files, import_run
from scalecurve.io.shape import all_readers

__all__ = ["Imported", "all_readers", "import_files", "import_run", "lines_to_add", "match"]
