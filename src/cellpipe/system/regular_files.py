"""Open files that are files: a pipe, a socket or a device is never waited for."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe waits for who writes into it
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_WHAT = "it is a pipe, a socket or a device, and no file"


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, in bytes.

    Raises
    ------
    OSError
        If it can't be opened, or is no regular file.

    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.ENXIO, _WHAT, str(path)) from error
        raise
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.ENXIO, _WHAT, str(path))


def read_regular(path: Path) -> bytes:
    """Return a file's content; errors as of :func:`open_regular`."""
    with open_regular(path) as stream:
        return stream.read()


def is_special(path: Path) -> bool:
    """Return whether a path is that of a pipe, a socket or a device."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
