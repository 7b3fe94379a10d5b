"""One writer per results folder, across processes and machines.

Who writes holds the one row of the table ``writer`` and raises its ``beat`` every few seconds. Each
change of the ledger looks, in its own transaction, whether the row is still the writer's: a writer
that was taken for dead and wakes up again can't change anything. A row is taken over where the
process that made it is known to be gone (same machine), or where its beat stood still for
``STILL_SECONDS`` of the watcher's own clock; the clocks of two machines are never compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cellpipe.core.errors import LeaseError, StoreError
from cellpipe.store.database import Database, Transaction

BEAT_SECONDS = 5.0
STILL_SECONDS = 30.0
_LOOK_SECONDS = 0.5
_HAS_PROC = sys.platform == "linux"
_HIDDEN = "hidden"  # the system says that a process is there, and no more
_SLOW_SECONDS = 2.0  # a transaction that took longer waited: what it saw may be old


class Leasable(Protocol):
    """What a lease is for: the ledger of a results folder."""

    folder: Path
    token: str | None

    @property
    def database(self) -> Database:
        """Where the row of the writer lies."""


def this_process() -> dict[str, str]:
    """Say which process this is: machine, boot, process number and when it began."""
    return {
        "machine": socket.gethostname(),
        "boot": _boot_id(),
        "process": str(os.getpid()),
        "began": _start_time(os.getpid()),
    }


def _boot_id() -> str:
    """Tell this boot of this machine, and its container, from others; empty if that can't be."""
    if not _HAS_PROC:
        return sys.platform  # a process is known by when it began, to the microsecond
    return _read_text("/proc/sys/kernel/random/boot_id") + _read_link("/proc/self/ns/pid")


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _read_link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _start_time(process: int) -> str:
    """When a process began, in ticks since the boot or as a date; empty if there is none."""
    if not _HAS_PROC:
        return _start_date(process)
    return (_read_text(f"/proc/{process}/stat").rpartition(")")[2].split() or [""] * 20)[19]


def _start_date(process: int) -> str:
    import psutil

    try:
        return repr(psutil.Process(process).create_time())
    except psutil.AccessDenied:
        return _HIDDEN
    except psutil.NoSuchProcess:
        return ""


def is_gone(holder: dict[str, str]) -> bool:
    """Return whether a process is known to be gone: it was on this machine, and is there no more."""
    here = this_process()
    same = all(holder[key] == here[key] for key in ("machine", "boot"))
    if not (same and here["boot"]):  # another machine of that name, a container, another boot
        return False
    return _start_time(int(holder["process"])) not in {holder["began"], _HIDDEN}


@contextlib.contextmanager
def acquire(
    ledger: Leasable, *, wait_second: float = 0.0, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Be the one writer of a results folder, for the time of the block.

    Parameters
    ----------
    ledger
        The ledger of the results; inside the block it lets changes through.
    wait_second
        How long to wait for another writer.
    tell
        Is told once who is being waited for.

    Raises
    ------
    WriterError
        If another run is still writing after that time.

    """
    token = uuid.uuid4().hex
    _wait_for_lease(ledger, token, wait_second, tell)
    ended = threading.Event()
    heart = threading.Thread(target=_heartbeat, args=(ledger, token, ended), daemon=True)
    ledger.token = token
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
        ledger.token = None
        with contextlib.suppress(StoreError):
            release = "DELETE FROM writer WHERE token = ?"
            ledger.database.transact(lambda rows: rows.write(release, (token,)), writes=True)
            ledger.database.close()


def _wait_for_lease(
    ledger: Leasable, token: str, wait_second: float, tell: Callable[[str], None] | None
) -> None:
    described = json.dumps(this_process() | {"since": datetime.now(UTC).isoformat()[:19]})
    deadline = time.monotonic() + wait_second
    watched: tuple[str, int] | None = None  # token and beat as they were last seen to change
    since = time.monotonic()
    told = False
    while True:
        begun = time.monotonic()
        still = watched if begun - since > STILL_SECONDS else None

        def attempt(
            rows: Transaction, still: tuple[str, int] | None = still
        ) -> tuple[str, int, str]:
            return _try_lease(rows, token, described, still, ledger.database.lock_row)

        held, beat, holder = ledger.database.transact(attempt, writes=True)
        if held == token:
            return
        now = time.monotonic()
        if (held, beat) != watched or now - begun > _SLOW_SECONDS:
            watched, since = (held, beat), now
        if now > deadline:
            raise LeaseError(
                f"another run that writes here ({_describe_holder(holder)})",
                expected="one writer at a time",
                remedy="wait until it has ended; a dead one is taken over within "
                f"{STILL_SECONDS:.0f} s",
                file=ledger.folder,
            )
        if tell and not told:
            tell(f"waiting for another run ({_describe_holder(holder)})")
            told = True
        time.sleep(_LOOK_SECONDS)


def _try_lease(
    rows: Transaction, token: str, described: str, still: tuple[str, int] | None, lock_row: str
) -> tuple[str, int, str]:
    """Take the row if it is free, its process gone, or it still stands as ``still`` does."""
    found = rows.read(f"SELECT token, beat, holder FROM writer WHERE slot = 1{lock_row}")  # noqa: S608
    if found:
        held, beat, holder = found[0]
        if (held, beat) != still and not is_gone(json.loads(holder)):
            return held, beat, holder
        rows.write("DELETE FROM writer WHERE slot = 1")
    mine = "INSERT INTO writer VALUES (1, ?, ?, 0) ON CONFLICT (slot) DO NOTHING"
    rows.write(mine, (token, described))
    now = rows.read("SELECT token, beat, holder FROM writer WHERE slot = 1")
    held, beat, holder = now[0] if now else ("", -1, described)  # free again: try once more
    return held, beat, holder


def _heartbeat(ledger: Leasable, token: str, ended: threading.Event) -> None:
    alive = "UPDATE writer SET beat = beat + 1 WHERE token = ?"
    while not ended.wait(BEAT_SECONDS):
        with contextlib.suppress(StoreError):  # the run itself will meet it
            ledger.database.transact(lambda rows: rows.write(alive, (token,)), writes=True)
    ledger.database.close()


def _describe_holder(holder: str) -> str:
    who = json.loads(holder)
    return f"process {who['process']} on {who['machine']}, since {who['since']} UTC"


def current_writer(ledger: Leasable) -> str | None:
    """Say who is writing now, or None."""
    query = "SELECT holder FROM writer WHERE slot = 1"
    found = ledger.database.transact(lambda rows: rows.read(query), writes=False)
    return _describe_holder(found[0][0]) if found and not is_gone(json.loads(found[0][0])) else None


def check_lease(rows: Transaction, token: str | None, lock_row: str) -> None:
    """Refuse a change by a run that no longer is, or never was, the writer.

    Raises
    ------
    WriterError
        If another run took the results over, or no run is writing.

    """
    found = rows.read(f"SELECT token FROM writer WHERE slot = 1{lock_row}")  # noqa: S608
    if token is None or not found or found[0][0] != token:
        raise LeaseError(
            "another run that took these results over", expected="one writer at a time",
            remedy="nothing is lost: start again, and what the other did is found",
        )  # fmt: skip
