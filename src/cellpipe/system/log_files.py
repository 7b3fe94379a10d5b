"""Log files of bounded size."""

from __future__ import annotations

import contextlib
import logging.handlers
import shutil
from pathlib import Path


class BoundedLogHandler(logging.handlers.RotatingFileHandler):
    """Log to a file; when it is full it becomes ``NAME.1``, and a new one is begun.

    Parameters
    ----------
    path
        The file.
    size
        Its size at most, in bytes; a single line may be longer.
    kept
        How many full ones are kept.

    """

    def __init__(self, path: Path, *, size: int = 10_000_000, kept: int = 3) -> None:
        super().__init__(path, maxBytes=size, backupCount=kept, encoding="utf-8", delay=True)

    def doRollover(self) -> None:  # noqa: N802 - the name is logging's
        """Rename the full file; where another process holds it open, copy and empty it.

        Windows renames no file that another process has opened.
        """
        try:
            super().doRollover()
        except OSError:
            empty_log(Path(self.baseFilename), Path(f"{self.baseFilename}.1"))


def empty_log(path: Path, copy: Path) -> None:
    """Empty a log that can't be renamed; keep its content as ``copy`` if that can be written."""
    with contextlib.suppress(OSError):
        shutil.copyfile(path, copy)
    with contextlib.suppress(OSError), path.open("w"):
        pass


def make_room(path: Path, size: int = 5_000_000) -> None:
    """Put a log aside as ``NAME.1`` if it has reached a size in bytes, before more is appended."""
    if not path.is_file() or path.stat().st_size < size:
        return
    old = path.with_name(f"{path.name}.1")
    try:
        path.replace(old)
    except OSError:
        empty_log(path, old)
