"""Ctrl-C and SIGTERM end a run within a second, even while the main thread is deep in native code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

GRACE_SECONDS = 0.8
STOPPED = "stopped; the same command continues after the last finished part\n"


@contextmanager
def prompt_interrupt() -> Iterator[None]:
    """Within: SIGINT and SIGTERM raise KeyboardInterrupt; the process ends then, or when the grace is over.

    The exit code is 130 or 143, 128 and the signal's number, as shells have it.

    Python runs signal handlers between its own instructions only, and one forward pass of a large model can take
    many seconds. Files are written whole or not at all, so that ending at any instant loses no finished part.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    ended_by = signal.SIGINT

    def terminate(*_: object) -> None:
        nonlocal ended_by
        ended_by = signal.SIGTERM
        raise KeyboardInterrupt

    term_before = signal.signal(signal.SIGTERM, terminate)
    threading.Thread(target=_end_after_grace, args=(read_end,), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        print(STOPPED, end="", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(128 + ended_by)  # the interpreter's own ending takes a second or more with torch loaded
    finally:
        signal.signal(signal.SIGTERM, term_before)
        signal.set_wakeup_fd(before)
        os.close(write_end)


def _end_after_grace(read_end: int) -> None:
    while data := os.read(read_end, 1):
        if data[0] in (signal.SIGINT, signal.SIGTERM):
            time.sleep(GRACE_SECONDS)
            show_cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""  # the progress bar hid it
            os.write(2, f"{show_cursor}{STOPPED}".encode())
            os._exit(128 + data[0])
    os.close(read_end)
