"""What each night hands on: archives, notebooks, the summary; only what changed, each thing once.

What a receiver has taken is noted in the ledger; what it has not is due again the next night.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from cellpipe._version import __version__
from cellpipe.config.settings import DeliverySettings, ReceiverSettings
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError, NoAnswerError
from cellpipe.handoff import bdf, elabftw, kadi
from cellpipe.handoff.attachments import build_attachments
from cellpipe.handoff.eln import Sender, eln_archive
from cellpipe.handoff.record import Record, build_record, sheet_values
from cellpipe.handoff.rest import Address, Server
from cellpipe.handoff.secrets import Blocks, resolve_secret
from cellpipe.handoff.summary import update_summary
from cellpipe.pipeline.stored_cells import StoredCell, read_stored_cells
from cellpipe.store import CellEntry, Results, read_table
from cellpipe.store.lab import Lab
from cellpipe.store.writer_lease import acquire
from cellpipe.system.atomic_files import file_name, write_bytes

_log = logging.getLogger("cellpipe")
RECEIVERS = ("kadi", "elabftw")
_CELLS_PER_ARCHIVE = 20  # cells in an archive of a night
_WAIT_SECONDS = 600.0
_ARCHIVE = "eln"
_BESIDE = "summary files written beside"


@dataclass
class DeliveryResult:
    """What came of handing on: what was done and what could not be, a sentence each."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Receiver:
    """Where records go to: a name, who it is, and what takes a record and tells what was done."""

    name: str
    server: Server
    push: Callable[[Server, Record], tuple[int, list[str]]]

    @property
    def ledger_key(self) -> str:
        """Tell this receiver from others in the ledger."""
        return f"{self.name} {self.server.url}"


def record_from_cell(out: Path, each: StoredCell, prefix: str) -> Record:
    """Make the record of a finished cell, with all its files."""
    name = file_name(each.cell.cell_id)
    pages = [out / "cells" / f"{name}{suffix}" for suffix in (".html", ".xlsx")]
    reports = {path.name: path.read_bytes() for path in pages if path.is_file()}
    files = build_attachments(each.cell, each.tables, reports)
    return build_record(each.cell, each.tables, each.files, files, prefix=prefix)


def _drop_archive_files(record: Record) -> Record:
    """Leave out what is for archives: vector figures and the data behind figures."""
    kept = [f for f in record.files if not f.name.startswith("figure-") or ".png" in f.name]
    return replace(record, files=tuple(kept))


def sender_from_settings(given: DeliverySettings) -> Sender:
    """Say who hands on, as the settings have it."""
    return Sender(given.organisation, given.authors, given.licence)


def open_receiver(
    name: str, given: DeliverySettings, beside: Path, blocks: Blocks | None = None
) -> Receiver:
    """Open a receiver of the settings, and make sure that it lets us in.

    Raises
    ------
    SettingsError
        If its token can't be had, or its address is not safe.
    HandOnError
        If it is away, or does not know the token.

    """
    if name == "kadi":
        assert given.kadi is not None  # noqa: S101 - callers ask for what is set
        server = kadi.open_server(_resolve_address(given.kadi, beside, blocks))
        return _check_access(Receiver(name, server, kadi.push_record), kadi.check_access)
    assert given.elabftw is not None  # noqa: S101
    server = elabftw.open_server(_resolve_address(given.elabftw, beside, blocks))
    push = partial(elabftw.push_record, items=given.elabftw.items)
    return _check_access(Receiver(name, server, push), elabftw.check_access)


def _check_access(one: Receiver, greet: Callable[[Server], None]) -> Receiver:
    try:
        greet(one.server)
    except BaseException:
        one.server.close()
        raise
    return one


def _resolve_address(given: ReceiverSettings, beside: Path, blocks: Blocks | None) -> Address:
    token = resolve_secret(given.token, beside, blocks)
    authority = given.certificate_authority
    return Address(given.url, token, None if authority is None else beside / authority)


def deliver_all(
    job: Lab, given: DeliverySettings, beside: Path, begun: str, blocks: Blocks | None = None
) -> DeliveryResult:
    """Do what the settings ask for after a night; what fails is said, and the rest goes on.

    Parameters
    ----------
    job
        The lab.
    given
        What to hand on, and to whom.
    beside
        The settings' folder, from which their paths count.
    begun
        When the night began (UTC); archives are called by it.
    blocks
        What gives a Prefect secret block's content.

    """
    said = DeliveryResult()
    _update_summary(job, said)
    with ExitStack() as open_ones:
        receivers = []
        for name in RECEIVERS:
            if getattr(given, name) is None:
                continue
            try:
                receivers.append(open_receiver(name, given, beside, blocks))
                open_ones.enter_context(receivers[-1].server)
            except CellpipeError as error:
                said.failed.append(f"{name}: {error}")
            except Exception as error:  # nothing that a server says may cost the night
                said.failed.append(f"{name}: {_unexpected_message(error)}")
        deliver(job, receivers, given, said, archive=begun if given.eln else None)
    return said


def _update_summary(job: Lab, said: DeliveryResult) -> None:
    """Bring the summary up to date; what it meets there costs the summary only."""
    marks = json.loads(job.ledger.key_value(_BESIDE) or "{}")
    try:
        said.failed += update_summary(job.results, Results(job.results)["cells"].collect(), marks)
    except CellpipeError as error:
        said.failed.append(f"summary: {error}")
    except Exception as error:  # files that people write into may hold anything
        _log.exception("summary")
        said.failed.append(f"summary: {_unexpected_message(error)}")
    _save_values(job, {_BESIDE: json.dumps(marks)})


def _unexpected_message(error: Exception) -> str:
    """Say that something came that nobody thought of; what it says itself may hold a secret."""
    kind = type(error).__name__
    return f"found something that is not understood ({kind}); the next night tries again."


def deliver(
    job: Lab,
    receivers: Sequence[Receiver],
    given: DeliverySettings,
    said: DeliveryResult,
    *,
    only: Sequence[str] = (),
    archive: str | None = None,
) -> None:
    """Return receivers what they have not taken yet, or the cells that are named.

    A receiver that does not answer any more is left in peace until the next night.

    Parameters
    ----------
    job, receivers, given, said
        The lab, who is to get it, the settings, and where it is said what came of it.
    only
        Ids of cells, taken or not.
    archive
        When the night began, if its cells are to go into archives.

    """
    names = [one.ledger_key for one in receivers] + ([_ARCHIVE] if archive else [])
    due = {place: _due_cells(job, place, given, only) for place in names}
    waiting = list(receivers)
    gathered = _ArchiveWriter(job, given, archive or "", len(due.get(_ARCHIVE, ())))
    for cell_id in sorted({name for cells in due.values() for name in cells}):
        try:
            each = read_stored_cells(job.results, [cell_id])[0]
            record = record_from_cell(job.results, each, given.prefix)
        except CellpipeError as error:
            said.failed.append(f"{cell_id}: {error}")
            continue
        except Exception as error:  # one cell costs itself
            _log.exception("cell %s", cell_id)
            said.failed.append(f"{cell_id}: {_unexpected_message(error)}")
            continue
        for one in list(waiting):
            state = due[one.ledger_key].get(cell_id)
            if state and not _push_record(job, one, record, state, said):
                waiting.remove(one)
                rest = sum(name >= cell_id for name in due[one.ledger_key])
                said.failed.append(f"{one.name}: {rest} cells wait for the next night.")
        if cell_id in due.get(_ARCHIVE, ()):
            gathered.add(record, due[_ARCHIVE][cell_id], said)
        elif not waiting and not archive:
            return
    gathered.flush(said)


def _push_record(job: Lab, one: Receiver, record: Record, state: str, said: DeliveryResult) -> bool:
    """Let a receiver take a record; give False if there is no use in going on with it."""
    try:
        number, done = one.push(one.server, _drop_archive_files(record))
    except CellpipeError as error:
        said.failed.append(f"{one.name}, {record.title}: {error}")
        return not isinstance(error, NoAnswerError)
    except Exception as error:  # an answer that nobody thought of must not cost the night
        said.failed.append(f"{one.name}, {record.title}: {_unexpected_message(error)}")
        return True
    _save_values(job, {_delivery_key(one.ledger_key, record.title): state})
    if done:
        said.done.append(f"{one.name}, {record.title}: entry {number}, {_summarize(done)}.")
    return True


def _summarize(done: Sequence[str]) -> str:
    files = [each for each in done if each.endswith((" added", " replaced"))]
    words = [each for each in done if each not in files]
    noun = "file" if len(files) == 1 else "files"
    return ", ".join([*words, *([f"{len(files)} {noun} sent"] if files else [])])


class _ArchiveWriter:
    """The archives of a night, some cells in each."""

    def __init__(self, job: Lab, given: DeliverySettings, begun: str, expected: int) -> None:
        self._job = job
        self._given = given
        self._stem = f"night-{begun[:19].replace(':', '')}"
        self._several = expected > _CELLS_PER_ARCHIVE
        self._number = 0
        self._records: list[Record] = []
        self._states: dict[str, str] = {}

    def add(self, record: Record, state: str, said: DeliveryResult) -> None:
        """Take a record, and write an archive when it is full."""
        self._records.append(record)
        self._states[record.title] = state
        if len(self._records) == _CELLS_PER_ARCHIVE:
            self.flush(said)

    def flush(self, said: DeliveryResult) -> None:
        """Write what was gathered."""
        if not self._records:
            return
        self._number += 1
        name = self._stem + (f"-{self._number:02d}" if self._several else "")
        path = self._job.results / "eln" / f"{name}.eln"
        if path.exists():  # of another night in the same second: a clock may have gone back
            name = f"{name}-{len(list(path.parent.iterdir()))}"
            path = path.with_name(f"{name}.eln")
        content = eln_archive(
            self._records, name, sender_from_settings(self._given), made_at=datetime.now(UTC)
        )
        count = len(self._records)
        try:
            write_bytes(path, content)
        except CellpipeError as error:
            said.failed.append(f"{path.name}: {error}")
        else:
            _save_values(
                self._job, {_delivery_key(_ARCHIVE, name): s for name, s in self._states.items()}
            )
            said.done.append(f"{path.name}: {count} cell{'s' if count > 1 else ''}.")
        self._records, self._states = [], {}


def _due_cells(
    job: Lab, place: str, given: DeliverySettings, only: Sequence[str] = ()
) -> dict[str, str]:
    """Return the cells of which a place has not taken the state of now, with that state.

    Those that are named are due whatever was taken.
    """
    taken = job.ledger.key_values(_delivery_key(place, ""))
    states = {
        name: _state_digest(entry, given) for name, entry in sorted(job.ledger.cells().items())
    }
    if only:
        return {name: states[name] for name in only}
    return {
        name: state
        for name, state in states.items()
        if taken.get(_delivery_key(place, name)) != state
    }


def _state_digest(entry: CellEntry, given: DeliverySettings) -> str:
    """Tell a cell's results, and how they are handed on, from others."""
    plain = given.model_copy(update={"kadi": None, "elabftw": None, "eln": False})
    said = (entry.inputs, entry.findings, plain, __version__)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _delivery_key(place: str, cell_id: str) -> str:
    return f"handed on to {place}: {cell_id}"


def _save_values(job: Lab, marks: dict[str, str]) -> None:
    with acquire(job.ledger, wait_second=_WAIT_SECONDS):
        for name, value in marks.items():
            if job.ledger.key_value(name) != value:
                job.ledger.set_key_value(name, value)


def bdf_files(
    out: Path, each: StoredCell, organisation: str, packed: bool
) -> Iterator[tuple[str, bytes | None]]:
    """Return a cell's recordings as files of the Battery Data Format, each with its sidecar.

    Yields
    ------
    name, content
        One raw file after the other; of one that the format can't hold, a sentence and None.

    """
    values = sheet_values(each.cell)
    used = each.files.filter(pl.col("status") == "used").sort("started_at", "path")
    for number, row in enumerate(used.iter_rows(named=True), 1):
        timeseries, impedance = (
            contracts.empty_table(name) if (found := read_table(out, name, row["file_sha256"])) is None
            else found
            for name in ("timeseries", "impedance")
        )  # fmt: skip
        table = bdf.bdf_table(timeseries, impedance)
        if table is None:
            yield (f"{row['path']}: time, voltage and current are not all known, and the format "
                   "needs them; cellpipe export tables has what there is."), None  # fmt: skip
            continue
        name = bdf.bdf_name(organisation, each.cell.cell_id, row["started_at"], number)
        suffix = "parquet" if packed else "csv"
        yield f"{name}.bdf.{suffix}", (bdf.parquet_bytes if packed else bdf.csv_bytes)(table)
        kept = ("path", "file_sha256", "format", "started_at", "size_byte")
        source = {key: row[key] for key in kept}
        absent = bdf.unmapped_columns(timeseries)
        yield f"{name}.metadata.json", bdf.sidecar(values, source, absent, organisation)
