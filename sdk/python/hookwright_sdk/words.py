"""What goes to the log: lines of ``logging``, and the last words of a plugin that raises. What is printed goes there by
itself."""

import logging
import os
import sys
import traceback
from pathlib import PurePath
from typing import NoReturn

from wit_world.imports import logging as host

_FRAMES_MAX = 8
# The server keeps 1 KiB of a line: where it happened must have room.
_MESSAGE_MAX = 500
_HERE = PurePath(__file__).parent


class _ToTheHost(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        host.log(_level(record.levelno), self.format(record))


def _level(number: int) -> host.Level:
    if number >= logging.ERROR:
        return host.Level.ERROR
    if number >= logging.WARNING:
        return host.Level.WARN
    return host.Level.INFO if number >= logging.INFO else host.Level.DEBUG


logging.basicConfig(level=logging.DEBUG, handlers=[_ToTheHost()], format="%(message)s")


def end(raised: BaseException) -> NoReturn:
    """Says what was raised and ends the run. The server puts the line that begins with ``threw`` into the delivery's
    error: see ``host/src/sandbox/words.rs``."""
    sys.stdout.flush()
    # What was in the way when this was raised stands in the log, as Python tells it.
    if raised.__cause__ is not None or raised.__context__ is not None:
        traceback.print_exception(raised)
        sys.stderr.flush()
    error = "".join(traceback.format_exception_only(raised)).strip()[:_MESSAGE_MAX]
    frames = [frame for frame in traceback.extract_tb(raised.__traceback__) if PurePath(frame.filename).parent != _HERE]
    where = " < ".join(f"{frame.name} ({_place(frame)})" for frame in reversed(frames[-_FRAMES_MAX:]))
    host.log(host.Level.ERROR, f"threw {error}" + (f", at {where}" if where else ""))
    os.abort()


def _place(frame: traceback.FrameSummary) -> str:
    """Without the folder, which the compiler numbered: ``/0/plugin.py``."""
    path = "/".join(PurePath(frame.filename).parts[2:]) if frame.filename.startswith("/") else frame.filename
    return f"{path}:{frame.lineno}"
