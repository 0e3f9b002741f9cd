"""What the process that workers are forked from loads once. Imported there only.

With torch loaded, the interpreter's own ending takes more than a second, during which a shell that reads what a run
prints (``scalecurve run … | tee log``) waits for a run that has been stopped. Nothing is left to be tidied there.

What is loaded is kept from the garbage collector, which writes to whatever it looks at: each worker would soon have a
copy of its own of all these libraries' objects, some 130 MB.
"""

from __future__ import annotations

import atexit
import gc
import os

import scalecurve.models.local
import scalecurve.runner.model_run
import scalecurve.tasks  # noqa: F401 - to be there, not to be used

_FORKED_FROM = os.getpid()


def _end_at_once() -> None:
    if os.getpid() == _FORKED_FROM:  # a forked worker ends as any process does
        os._exit(0)


atexit.register(_end_at_once)
gc.collect()
gc.freeze()
