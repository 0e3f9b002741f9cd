"""Results measured elsewhere, brought into a run directory that curves, verdicts and reports read.

A format is one module of ``readers`` with a function decorated ``@reader(name, role)``.
"""

from scalecurve.exchange.families import lines_to_add, match
from scalecurve.exchange.importing import Imported, import_files
from scalecurve.exchange.shape import all_readers

__all__ = ["Imported", "all_readers", "import_files", "lines_to_add", "match"]
