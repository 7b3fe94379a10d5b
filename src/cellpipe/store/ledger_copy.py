"""Read a ledger that can't be written: on a read-only drive, or in somebody else's folder.

SQLite can't read a write-ahead log without writing beside it, and must not be told that there is
none: what was recorded last may be in it alone. So the file is copied, with its logs.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from pathlib import Path

from cellpipe.core.errors import DamagedLedgerError, StoreError
from cellpipe.store.database import Sqlite
from cellpipe.store.migrations import migrate

_LOGS = ("", "-wal", "-journal")  # suffixes of the files that hold a ledger's rows
_ATTEMPTS = 5  # at a copy during which nobody writes


def open_copy(path: Path) -> Sqlite:
    """Copy a ledger into a temporary folder, which is kept as long as what is returned.

    Raises
    ------
    StoreError
        If somebody goes on writing into it, or it can't be read.

    """
    folder = tempfile.TemporaryDirectory(prefix="cellpipe-", ignore_cleanup_errors=True)
    copy = Path(folder.name) / path.name
    for attempt in range(_ATTEMPTS):
        time.sleep(0.2 * attempt)
        before = _states(path)
        try:
            for name in before:
                shutil.copyfile(path.with_name(name), copy.with_name(name))
            if _states(path) == before:
                migrate(Sqlite(copy), path)  # of the copy alone
                break
        except (FileNotFoundError, DamagedLedgerError):  # somebody wrote meanwhile
            pass
        for name in before:
            copy.with_name(name).unlink(missing_ok=True)
    else:
        folder.cleanup()
        raise StoreError(
            "a ledger that is being written, in a folder that can only be read",
            expected="a moment at which nobody writes", remedy="try again", file=path,
        )  # fmt: skip
    database = Sqlite(copy, copy_of=path)
    weakref.finalize(database, folder.cleanup)
    return database


def _states(path: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of a ledger's files that are there, by name."""
    files = (path.with_name(f"{path.name}{suffix}") for suffix in _LOGS)
    statuses = {file.name: file.stat() for file in files if file.is_file()}
    return {name: (status.st_size, status.st_mtime_ns) for name, status in statuses.items()}
