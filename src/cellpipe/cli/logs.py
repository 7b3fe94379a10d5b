"""Where a command logs: a file in the results, and the terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import Any

from cellpipe.core.clean_text import clean_line, clean_lines
from cellpipe.core.errors import StoreError
from cellpipe.system.log_files import BoundedLogHandler
from cellpipe.system.own_folder import check_no_link
from cellpipe.system.regular_files import is_special


class CleanFormatter(logging.Formatter):
    """One line for each record: a name can't make two of it, and no secret of an address is kept.

    A traceback follows on lines of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging names it
        """Format a record's line."""
        record.message = clean_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging names it
        """Format a traceback."""
        return clean_lines(super().formatException(ei))


class _TerminalHandler(logging.Handler):
    """Print on whatever is the terminal then: everything, or what is marked ``aloud``."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__()
        self.addFilter(lambda record: verbose or hasattr(record, "aloud"))

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed: the file has it
            print(self.format(record), file=sys.stderr)


def log_to(out: Path, *, verbose: bool, name: str = "cellpipe.log") -> None:
    """Log to a file in the results, of bounded size, and to the terminal.

    There only what is marked ``aloud`` is shown, or everything if asked.

    Raises
    ------
    StoreError
        If a pipe, a device or a link has the name of the log.

    """
    out.mkdir(parents=True, exist_ok=True)
    if is_special(out / name):
        raise StoreError(
            "a pipe, a socket or a device", expected="a file to log to, or none",
            remedy="delete it", file=out / name,
        )  # fmt: skip
    check_no_link(out / name)
    file = BoundedLogHandler(out / name)
    logger = logging.getLogger("cellpipe")
    for before in [one for one in logger.handlers if isinstance(one, _TerminalHandler)]:
        logger.removeHandler(before)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    formatter = CleanFormatter("%(asctime)s %(levelname)s %(message)s")
    for handler in (file, _TerminalHandler(verbose=verbose)):
        handler.setFormatter(formatter)
        logger.addHandler(handler)


def log_once(out: Path) -> None:
    """Log everything to ``watch.log`` in the results, if nothing is logged yet."""
    if not logging.getLogger("cellpipe").handlers:
        log_to(out, verbose=True, name="watch.log")


def log_file() -> str | None:
    """Return the file that is logged to, if there is one."""
    handlers = logging.getLogger("cellpipe").handlers
    files = (each for each in handlers if isinstance(each, logging.FileHandler))
    return next((each.baseFilename for each in files), None)
