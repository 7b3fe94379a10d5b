"""Check what a machine and a workspace need, one thing at a time, with remedies for faults."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sqlite3
import sys
import tempfile
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cellpipe.cell_sheet.sheet import find_sheets
from cellpipe.config.labs import lab_from_settings
from cellpipe.config.settings import LabSettings, Settings, read_settings
from cellpipe.core.errors import CellpipeError, ServerError
from cellpipe.core.finding_rows import finding_rows, fold_findings
from cellpipe.handoff.secrets import resolve_secret
from cellpipe.pipeline.sheet_snapshot import inspect_sheet
from cellpipe.service.prefect_api import EVERY_ADDRESS, call_api
from cellpipe.service.prefect_server import is_port_used
from cellpipe.service.server_password import (
    VARIABLE,
    chosen_password,
    find_password,
    password_file,
)
from cellpipe.service.supervisor import home_folder
from cellpipe.store.database import Transaction, check_sqlite_files
from cellpipe.store.location import is_own, ledger_url, postgres_from_url
from cellpipe.store.recovery import DAMAGED, is_ledger_lost, quarantine_size
from cellpipe.system.mounts import is_network_path
from cellpipe.system.processes import WORKER_BYTES, default_worker_count, free_memory

State = Literal["good", "note", "bad"]
_PACKAGES = ("polars", "pandera", "prefect", "galvani", "fastnda", "lmfit", "matplotlib")
_LITTLE_BYTES, _SHORT_BYTES = 1 << 30, 10 << 30
_LONG_PATH = 115  # of 260 that Windows allows; names inside take up to 110, quarantine 32 more
_MOST_LINES = 20  # about a cell sheet
_ANSWER_SECONDS = 5.0
_OTHERS = 0o077  # the rights of all accounts but the owner's


@dataclass(frozen=True)
class Check:
    """Result of one check: ``what`` was checked, what was ``found``, and the ``remedy``."""

    what: str
    state: State
    found: str
    remedy: str = ""


def run_checks(path: Path) -> Iterator[Check]:
    """Yield the checks of this machine and of the workspace with the settings file ``path``."""
    yield from check_machine()
    try:
        settings = read_settings(path)
    except CellpipeError as error:
        remedy = error.remedy if path.exists() else "cellpipe init FOLDER makes a workspace"
        yield Check("settings", "bad", f"{path}: {error.found}", remedy)
        return
    yield Check("settings", "good", str(path))
    for lab in settings.lab:
        yield from check_lab(lab)
    yield from check_server(settings)
    yield _check_password(home_folder(path))
    yield from _check_secrets(settings, path.resolve().parent)


def check_machine() -> Iterator[Check]:
    """Yield the checks of Python, packages, time zones, memory and the temporary folder."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", "good", version)
    for name in _PACKAGES:
        try:
            yield Check(name, "good", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, "bad", "not installed", "install cellpipe again")
    yield _check_call(
        "time zones", lambda: zoneinfo.ZoneInfo("Europe/Berlin").key, "install tzdata"
    )
    yield _check_memory()
    yield _check_writable("temporary files", Path(tempfile.gettempdir()))


def check_lab(lab: LabSettings) -> Iterator[Check]:
    """Yield the checks of a lab's folders, cell sheet, time zone, results and ledger."""
    for folder in (lab.folder, *lab.also):
        yield _check_raw_folder(folder)
    yield from _check_sheet(lab.folder)
    if lab.time_zone is None:
        yield Check("time zone", "note", "not set: the instruments' times are taken as UTC",
                    'set time_zone = "Europe/Berlin", or yours')  # fmt: skip
    else:
        yield Check("time zone", "good", lab.time_zone)
    yield _check_apart(lab)
    yield _check_writable("results", lab.results)
    yield _check_disk_space(lab.results)
    count, size = quarantine_size(lab.results)
    if count:
        yield Check("damaged results", "note",
                    f"{count} files, {size / 1e6:.1f} MB in {lab.results / DAMAGED}",
                    "they were made again; delete them when nobody misses any")  # fmt: skip
    if sys.platform == "win32" and len(str(lab.results)) > _LONG_PATH:
        yield Check("length of paths", "note", f"{len(str(lab.results))} characters",
                    "use a shorter results folder, or allow long paths in Windows")  # fmt: skip
    yield _check_ledger(lab)
    if lab.fetch or lab.publish:
        yield _check_package("object storage", "obstore", "s3")


def _check_sheet(folder: Path) -> Iterator[Check]:
    """Yield the checks of a folder's cell sheet: many mistakes of a kind are one."""
    if not folder.is_dir():
        return
    if not find_sheets(folder):
        remedy = f"cellpipe init {folder} writes one to fill in"
        yield Check("cell sheet", "note", "none: cells are told by file names only", remedy)
        return
    sheet = inspect_sheet(folder)
    table = finding_rows(sheet.findings, None)
    lines = fold_findings(table.filter(table["severity"] != "note"))
    is_used = all(finding.level != "error" for finding in sheet.findings)
    if is_used:
        name, count = sheet.path.name if sheet.path else "none", len(sheet.cells)
        yield Check("cell sheet", "good", f"{name}, {count} cell{'' if count == 1 else 's'}")
    for line in lines[:_MOST_LINES]:
        state: State = "note" if is_used else "bad"
        yield Check("cell sheet", state, str(replace(line, remedy="")), line.remedy)
    if len(lines) > _MOST_LINES:
        yield Check("cell sheet", "note", f"{len(lines) - _MOST_LINES} more to check",
                    f"cellpipe check {sheet.path} has all")  # fmt: skip


def check_server(settings: Settings) -> Iterator[Check]:
    """Yield the checks of the port of ``cellpipe serve``, PREFECT_API_URL and the runner."""
    host, port = settings.server.host, settings.server.port
    local_host = "127.0.0.1" if host in EVERY_ADDRESS else host
    url = f"http://{local_host}:{port}/api"
    if _is_reachable(url):
        yield Check("port", "good", f"{port}: a Prefect server answers there")
    elif is_port_used(local_host, port):
        yield Check("port", "bad", f"{port}: another program is there",
                    "set another port under [server]")  # fmt: skip
    else:
        yield Check("port", "good", f"{port} is free")
    named_url = os.environ.get("PREFECT_API_URL")
    if named_url and _is_reachable(named_url):
        yield Check("PREFECT_API_URL", "good", f"{named_url} answers")
    elif named_url:
        yield Check("PREFECT_API_URL", "bad", f"{named_url} does not answer",
                    "start that server, or take the variable away")  # fmt: skip
    if settings.runner.kind != "threads":
        kind = settings.runner.kind
        yield _check_package("runner", f"prefect_{kind}", kind)


def _check_password(home: Path) -> Check:
    """Check the password of the server of ``cellpipe serve``; it is not shown."""
    file = password_file(home)
    try:
        if chosen_password() is not None:
            return Check("password", "good", f"that of {VARIABLE}")
        if find_password(home) is None:
            return Check("password", "good", "none yet: the first start of cellpipe serve makes it")
    except CellpipeError as error:
        return Check("password", "bad", f"{error.file or VARIABLE}: {error.found}", error.remedy)
    if sys.platform != "win32" and home.stat().st_mode & _OTHERS:
        return Check("password", "note", f"other accounts can look into {home}",
                     f"chmod 700 {home}")  # fmt: skip
    return Check("password", "good", f"of Prefect's page and API, in {file}")


def _check_secrets(settings: Settings, base_dir: Path) -> Iterator[Check]:
    """Yield a check for each secret that the settings name; no secret is shown."""
    receivers = {"hand_on.kadi": settings.hand_on.kadi, "hand_on.elabftw": settings.hand_on.elabftw}
    named = [(what, receiver.token) for what, receiver in receivers.items() if receiver is not None]
    named += [("notify.to", reference) for reference in settings.notify.to]
    for what, reference in named:
        if reference.startswith("prefect:"):
            yield Check(what, "note", f"{reference} is asked for when it is used")
            continue
        try:
            resolve_secret(reference, base_dir)
        except CellpipeError as error:
            yield Check(what, "bad", error.found, error.remedy)
        else:
            yield Check(what, "good", f"{reference} is there")


def _check_call(what: str, call: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(what, "good", call())
    except (OSError, LookupError, ValueError) as error:
        return Check(what, "bad", f"{type(error).__name__}: {error}", remedy)


def _check_memory() -> Check:
    free = free_memory()
    found = (
        f"{free / 1e9:.1f} GB free, {os.cpu_count()} processors: {default_worker_count()} processes"
    )
    if free < WORKER_BYTES:
        return Check("memory", "note", found, "close other programs while much is to be read")
    return Check("memory", "good", found)


def _check_raw_folder(folder: Path) -> Check:
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except FileNotFoundError:
        return Check("raw files", "bad", f"{folder} is not there",
                     "make it, or correct its path; is a drive disconnected?")  # fmt: skip
    except OSError as error:
        return Check("raw files", "bad", f"{folder} can't be opened ({error.strerror})",
                     "check your rights there")  # fmt: skip
    where = "on a network drive" if is_network_path(folder) else "on a local disk"
    return Check("raw files", "good", f"{folder}, {where}")


def _check_apart(lab: LabSettings) -> Check:
    """Check that the results have a folder of their own, in which nobody else's files are."""
    resolved = lab_from_settings(lab)
    try:
        for folder in resolved.folders:
            resolved.check_apart(folder)
        is_there = is_own(resolved.results)
    except CellpipeError as error:
        return Check("results folder", "bad", error.found, error.remedy)
    return Check("results folder", "good", "cellpipe's own" if is_there else "new or empty")


def _check_writable(what: str, folder: Path) -> Check:
    """Check that files can be written as results are: under another name, then renamed."""
    parent = _existing_parent(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".cellpipe-", dir=parent) as trial:
            first = Path(trial) / "first"
            first.write_bytes(b"x")
            first.replace(first.with_name("second"))
    except OSError as error:
        return Check(what, "bad", f"{parent} can't be written ({error.strerror})",
                     "check your rights there, or name another folder")  # fmt: skip
    note = "" if parent == folder else ", not made yet"
    return Check(what, "good", f"{folder} can be written{note}")


def _existing_parent(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(
        (candidate for candidate in (folder, *folder.parents) if candidate.exists()), folder
    )


def _check_disk_space(folder: Path) -> Check:
    try:
        free = shutil.disk_usage(_existing_parent(folder)).free
    except OSError as error:
        return Check("disk space", "note", f"not known ({error.strerror})")
    found = f"{free / 1e9:.0f} GB free"
    if free < _LITTLE_BYTES:
        return Check("disk space", "bad", f"{free / 1e6:.0f} MB free", "make room for results")
    return Check("disk space", "note" if free < _SHORT_BYTES else "good", found,
                 "make room soon" if free < _SHORT_BYTES else "")  # fmt: skip


def _check_ledger(lab: LabSettings) -> Check:
    """Check the ledger without opening it as a run does, which would migrate or repair it."""
    try:
        if url := ledger_url(lab.results) or lab.ledger:
            count = postgres_from_url(url).transact(_count_known_files, writes=False)
        elif is_ledger_lost(lab.results):
            return Check("ledger", "bad", "it is not there, though results are",
                         "the next run takes its copy, or makes all results again")  # fmt: skip
        else:
            count = _count_sqlite_files(lab.results / "ledger.sqlite")
    except CellpipeError as error:
        return Check("ledger", "bad", error.found, error.remedy)
    except sqlite3.Error as error:
        return Check("ledger", "bad", f"it can't be read ({error})",
                     "the next run takes its copy, or makes all results again")  # fmt: skip
    none_yet = "none yet: the first run makes it"
    return Check("ledger", "good", none_yet if count is None else f"{count} files known")


def _count_known_files(rows: Transaction) -> int | None:
    return int(rows.read("SELECT count(*) FROM seen")[0][0]) if rows.layout() else None


def _count_sqlite_files(path: Path) -> int | None:
    check_sqlite_files(path)
    if not path.is_file():
        return None
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as ledger:
        return int(ledger.execute("SELECT count(*) FROM seen").fetchone()[0])


def _check_package(what: str, module: str, extra: str) -> Check:
    if importlib.util.find_spec(module) is None:
        return Check(what, "bad", f"{module} is not installed", f'pip install "cellpipe[{extra}]"')
    return Check(what, "good", f"{module} is installed")


def _is_reachable(url: str) -> bool:
    try:
        call_api(url, "health", timeout=_ANSWER_SECONDS)
    except ServerError:
        return False
    return True
