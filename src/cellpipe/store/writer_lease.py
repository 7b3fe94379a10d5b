"""The writer lease: one writer per results folder, across processes and machines.

The writer holds the one row of the table ``writer`` and increments its ``beat`` every few seconds.
Each change of the ledger checks, in its own transaction, whether the row is still the writer's: a
writer that was taken for dead and resumes can't change anything. A row is taken over if its process
is known to be gone (same machine), or if its beat has not changed for ``STILL_SECONDS`` of the
waiting process's own clock; the clocks of two machines are never compared.
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
_HIDDEN = "hidden"  # the system says only that the process exists
_SLOW_SECONDS = 2.0  # a transaction that took longer was waiting: what it saw may be outdated


_UNRELEASED: set[str] = set()  # leases of this process that are over, and could not be given back


class Leasable(Protocol):
    """The object of a lease: the ledger of a results folder."""

    folder: Path
    token: str | None

    @property
    def database(self) -> Database:
        """Return the database that holds the writer's row."""


def this_process() -> dict[str, str]:
    """Return what identifies this process: machine, boot, process number and start time."""
    return {
        "machine": socket.gethostname(),
        "boot": _boot_id(),
        "process": str(os.getpid()),
        "began": _start_time(os.getpid()),
    }


def _boot_id() -> str:
    """Return an id of this boot of this machine and its container; empty if there is none."""
    if not _HAS_PROC:
        return sys.platform  # a process is identified by its start time, to the microsecond
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
    """Return when a process started, in ticks since boot or s since 1970; empty if none runs."""
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
    """Return whether a process is known to be gone: it was on this machine and no longer exists."""
    here = this_process()
    same = all(holder[key] == here[key] for key in ("machine", "boot"))
    if not (same and here["boot"]):  # another machine of that name, a container, another boot
        return False
    return _start_time(int(holder["process"])) not in {holder["began"], _HIDDEN}


@contextlib.contextmanager
def acquire(
    ledger: Leasable, *, wait_second: float = 0.0, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the writer lease of a results folder for the duration of the block.

    Parameters
    ----------
    ledger
        The ledger of the results; inside the block it accepts changes.
    wait_second
        How long to wait for another writer.
    tell
        Called once with a sentence on the run that is being waited for.

    Raises
    ------
    LeaseError
        If another run is still writing after that time.

    """
    token = uuid.uuid4().hex
    _wait_for_lease(ledger, token, wait_second, tell)
    stop = threading.Event()
    thread = threading.Thread(target=_heartbeat, args=(ledger, token, stop), daemon=True)
    ledger.token = token
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        ledger.token = None
        _release(ledger, token)


def _release(ledger: Leasable, token: str) -> None:
    """Give a lease back; if that can't be written (a full disk), this process knows it is over."""
    release = "DELETE FROM writer WHERE token = ?"
    try:
        ledger.database.transact(lambda rows: rows.write(release, (token,)), writes=True)
        ledger.database.close()
    except StoreError:
        _UNRELEASED.add(token)


def _wait_for_lease(
    ledger: Leasable, token: str, wait_second: float, tell: Callable[[str], None] | None
) -> None:
    description = json.dumps(this_process() | {"since": datetime.now(UTC).isoformat()[:19]})
    deadline = time.monotonic() + wait_second
    watched: tuple[str, int] | None = None  # token and beat as they were last seen to change
    since = time.monotonic()
    was_reported = False
    while True:
        started = time.monotonic()
        stale = watched if started - since > STILL_SECONDS else None

        def attempt(
            rows: Transaction, stale: tuple[str, int] | None = stale
        ) -> tuple[str, int, str]:
            return _try_lease(rows, token, description, stale, ledger.database.lock_row)

        held, beat, holder = ledger.database.transact(attempt, writes=True)
        if held == token:
            return
        now = time.monotonic()
        if (held, beat) != watched or now - started > _SLOW_SECONDS:
            watched, since = (held, beat), now
        if now > deadline:
            raise LeaseError(
                f"another run that writes here ({_describe_holder(holder)})",
                expected="one writer at a time",
                remedy="wait until it has ended; a dead one is taken over within "
                f"{STILL_SECONDS:.0f} s",
                file=ledger.folder,
            )
        if tell and not was_reported:
            tell(f"waiting for another run ({_describe_holder(holder)})")
            was_reported = True
        time.sleep(_LOOK_SECONDS)


def _try_lease(
    rows: Transaction, token: str, description: str, stale: tuple[str, int] | None, lock_row: str
) -> tuple[str, int, str]:
    """Take the row if it is free, its process is gone, or it equals ``stale``; return the row."""
    existing = rows.read(f"SELECT token, beat, holder FROM writer WHERE slot = 1{lock_row}")  # noqa: S608
    if existing:
        held, beat, holder = existing[0]
        is_over = held in _UNRELEASED or is_gone(json.loads(holder))
        if (held, beat) != stale and not is_over:
            return held, beat, holder
        rows.write("DELETE FROM writer WHERE slot = 1")
    statement = "INSERT INTO writer VALUES (1, ?, ?, 0) ON CONFLICT (slot) DO NOTHING"
    rows.write(statement, (token, description))
    latest = rows.read("SELECT token, beat, holder FROM writer WHERE slot = 1")
    held, beat, holder = latest[0] if latest else ("", -1, description)  # free again: retry
    return held, beat, holder


def _heartbeat(ledger: Leasable, token: str, stop: threading.Event) -> None:
    statement = "UPDATE writer SET beat = beat + 1 WHERE token = ?"
    while not stop.wait(BEAT_SECONDS):
        with contextlib.suppress(StoreError):  # the run itself will raise it
            ledger.database.transact(lambda rows: rows.write(statement, (token,)), writes=True)
    ledger.database.close()


def _describe_holder(holder: str) -> str:
    process = json.loads(holder)
    return f"process {process['process']} on {process['machine']}, since {process['since']} UTC"


def current_writer(ledger: Leasable) -> str | None:
    """Return a description of the run that is writing now, or None."""
    query = "SELECT holder FROM writer WHERE slot = 1"
    found = ledger.database.transact(lambda rows: rows.read(query), writes=False)
    return _describe_holder(found[0][0]) if found and not is_gone(json.loads(found[0][0])) else None


def check_lease(rows: Transaction, token: str | None, lock_row: str) -> None:
    """Refuse a change by a run that is not, or no longer, the writer.

    Raises
    ------
    LeaseError
        If another run took the results over, or no run is writing.

    """
    found = rows.read(f"SELECT token FROM writer WHERE slot = 1{lock_row}")  # noqa: S608
    if token is None or not found or found[0][0] != token:
        raise LeaseError(
            "another run that took these results over", expected="one writer at a time",
            remedy="nothing is lost: start again, and what the other did is found",
        )  # fmt: skip
