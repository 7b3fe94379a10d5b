"""Deliver results nightly to archives and lab notebooks and update the summary; changes only.

What a receiver has accepted is recorded in the ledger; the rest is due again the next night.
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
from cellpipe.pipeline.stored_cells import StoredCell, contradicting_cells, read_stored_cells
from cellpipe.store import CellEntry, Results, read_table
from cellpipe.store.lab import Lab
from cellpipe.store.writer_lease import acquire
from cellpipe.system.atomic_files import file_name, write_bytes

_log = logging.getLogger("cellpipe")
RECEIVERS = ("kadi", "elabftw")
_CELLS_PER_ARCHIVE = 20  # in one archive of a night
_WAIT_SECONDS = 600.0
_ARCHIVE = "eln"
_HELD_BACK = "it contradicts physics, so it is not handed on before the sheet confirms it."
_BESIDE = "summary files written beside"


@dataclass
class DeliveryResult:
    """What a delivery did and what it could not do, a sentence each."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Receiver:
    """A destination of records: its name, its server, and the function that sends a record.

    ``push`` returns the number of the notebook's entry and what was done.
    """

    name: str
    server: Server
    push: Callable[[Server, Record], tuple[int, list[str]]]

    @property
    def ledger_key(self) -> str:
        """The key of this receiver in the ledger."""
        return f"{self.name} {self.server.url}"


def record_from_cell(out: Path, stored: StoredCell, prefix: str) -> Record:
    """Return the record of a stored cell, with all its files."""
    name = file_name(stored.cell.cell_id)
    pages = [out / "cells" / f"{name}{suffix}" for suffix in (".html", ".xlsx")]
    reports = {path.name: path.read_bytes() for path in pages if path.is_file()}
    files = build_attachments(stored.cell, stored.tables, reports)
    return build_record(stored.cell, stored.tables, stored.files, files, prefix=prefix)


def _drop_archive_files(record: Record) -> Record:
    """Return the record without files meant for archives: vector figures and figures' data."""
    kept = [f for f in record.files if not f.name.startswith("figure-") or ".png" in f.name]
    return replace(record, files=tuple(kept))


def sender_from_settings(settings: DeliverySettings) -> Sender:
    """Return the sender that the settings name: organisation, authors, licence."""
    return Sender(settings.organisation, settings.authors, settings.licence)


def open_receiver(
    name: str, settings: DeliverySettings, base_dir: Path, blocks: Blocks | None = None
) -> Receiver:
    """Open a receiver of the settings, and check that it grants access.

    Raises
    ------
    SettingsError
        If its token can't be resolved, or its address is not safe.
    HandOnError
        If it does not answer, or rejects the token.

    """
    if name == "kadi":
        assert settings.kadi is not None  # noqa: S101 - callers ask for what is set
        server = kadi.open_server(_resolve_address(settings.kadi, base_dir, blocks))
        return _check_access(Receiver(name, server, kadi.push_record), kadi.check_access)
    assert settings.elabftw is not None  # noqa: S101
    server = elabftw.open_server(_resolve_address(settings.elabftw, base_dir, blocks))
    push = partial(elabftw.push_record, items=settings.elabftw.items)
    return _check_access(Receiver(name, server, push), elabftw.check_access)


def _check_access(receiver: Receiver, check: Callable[[Server], None]) -> Receiver:
    try:
        check(receiver.server)
    except BaseException:
        receiver.server.close()
        raise
    return receiver


def _resolve_address(settings: ReceiverSettings, base_dir: Path, blocks: Blocks | None) -> Address:
    token = resolve_secret(settings.token, base_dir, blocks)
    authority = settings.certificate_authority
    return Address(settings.url, token, None if authority is None else base_dir / authority)


def deliver_all(
    lab: Lab,
    settings: DeliverySettings,
    base_dir: Path,
    started_at: str,
    blocks: Blocks | None = None,
) -> DeliveryResult:
    """Deliver what the settings ask for after a night; a failure is recorded, the rest continues.

    Parameters
    ----------
    lab
        The lab whose results are delivered.
    settings
        What to deliver, and to whom.
    base_dir
        The settings' folder, to which their paths are relative.
    started_at
        When the night started (UTC); archives are named after it.
    blocks
        Function that returns the content of a Prefect secret block.

    """
    result = DeliveryResult()
    _update_summary(lab, result)
    with ExitStack() as servers:
        receivers = []
        for name in RECEIVERS:
            if getattr(settings, name) is None:
                continue
            try:
                receivers.append(open_receiver(name, settings, base_dir, blocks))
                servers.enter_context(receivers[-1].server)
            except CellpipeError as error:
                result.failed.append(f"{name}: {error}")
            except Exception as error:  # no answer of a server may end the night
                result.failed.append(f"{name}: {_unexpected_message(error)}")
        deliver(lab, receivers, settings, result, archive=started_at if settings.eln else None)
    return result


def _update_summary(lab: Lab, result: DeliveryResult) -> None:
    """Update the summary; an error there costs the summary only."""
    pending_copies = json.loads(lab.ledger.key_value(_BESIDE) or "{}")
    try:
        result.failed += update_summary(
            lab.results, Results(lab.results)["cells"].collect(), pending_copies
        )
    except CellpipeError as error:
        result.failed.append(f"summary: {error}")
    except Exception as error:  # files that people edit may contain anything
        _log.exception("summary")
        result.failed.append(f"summary: {_unexpected_message(error)}")
    _save_values(lab, {_BESIDE: json.dumps(pending_copies)})


def _unexpected_message(error: Exception) -> str:
    """Return a sentence for an unexpected error, without its text, which may hold a secret."""
    kind = type(error).__name__
    return f"found something that is not understood ({kind}); the next night tries again."


def deliver(
    lab: Lab,
    receivers: Sequence[Receiver],
    settings: DeliverySettings,
    result: DeliveryResult,
    *,
    only: Sequence[str] = (),
    archive: str | None = None,
) -> None:
    """Send receivers the cells that they don't have yet, or the cells that are named.

    A receiver that stops answering gets nothing more until the next night.

    Parameters
    ----------
    lab, receivers, settings, result
        The lab, the destinations, the settings, and the result, to which sentences are added.
    only
        Ids of cells to send, whether or not they were sent before.
    archive
        When the night started, if its cells are to go into archives.

    """
    names = [receiver.ledger_key for receiver in receivers] + ([_ARCHIVE] if archive else [])
    held = contradicting_cells(lab)
    result.failed += [f"{name}: {_HELD_BACK}" for name in only if name in held]
    due = {
        destination: {
            name: state
            for name, state in _due_cells(lab, destination, settings, only).items()
            if name not in held
        }
        for destination in names
    }
    active = list(receivers)
    archives = _ArchiveWriter(lab, settings, archive or "", len(due.get(_ARCHIVE, ())))
    for cell_id in sorted({name for cells in due.values() for name in cells}):
        try:
            stored = read_stored_cells(lab.results, [cell_id])[0]
            record = record_from_cell(lab.results, stored, settings.prefix)
        except CellpipeError as error:
            result.failed.append(f"{cell_id}: {error}")
            continue
        except Exception as error:  # an error in one cell costs that cell only
            _log.exception("cell %s", cell_id)
            result.failed.append(f"{cell_id}: {_unexpected_message(error)}")
            continue
        for receiver in list(active):
            state = due[receiver.ledger_key].get(cell_id)
            if state and not _push_record(lab, receiver, record, state, result):
                active.remove(receiver)
                rest = sum(name >= cell_id for name in due[receiver.ledger_key])
                result.failed.append(f"{receiver.name}: {rest} cells wait for the next night.")
        if cell_id in due.get(_ARCHIVE, ()):
            archives.add(record, due[_ARCHIVE][cell_id], result)
        elif not active and not archive:
            return
    archives.flush(result)


def _push_record(
    lab: Lab, receiver: Receiver, record: Record, state: str, result: DeliveryResult
) -> bool:
    """Send a record to a receiver; return False if it does not answer, so that no more is sent."""
    try:
        number, done = receiver.push(receiver.server, _drop_archive_files(record))
    except CellpipeError as error:
        result.failed.append(f"{receiver.name}, {record.title}: {error}")
        return not isinstance(error, NoAnswerError)
    except Exception as error:  # an unexpected answer must not end the night
        result.failed.append(f"{receiver.name}, {record.title}: {_unexpected_message(error)}")
        return True
    _save_values(lab, {_delivery_key(receiver.ledger_key, record.title): state})
    if done:
        result.done.append(f"{receiver.name}, {record.title}: entry {number}, {_summarize(done)}.")
    return True


def _summarize(done: Sequence[str]) -> str:
    files = [step for step in done if step.endswith((" added", " replaced"))]
    words = [step for step in done if step not in files]
    noun = "file" if len(files) == 1 else "files"
    return ", ".join([*words, *([f"{len(files)} {noun} sent"] if files else [])])


class _ArchiveWriter:
    """Writer of the archives of a night, at most 20 cells in each."""

    def __init__(
        self, lab: Lab, settings: DeliverySettings, started_at: str, expected: int
    ) -> None:
        self._job = lab
        self._given = settings
        self._stem = f"night-{started_at[:19].replace(':', '')}"
        self._several = expected > _CELLS_PER_ARCHIVE
        self._number = 0
        self._records: list[Record] = []
        self._states: dict[str, str] = {}

    def add(self, record: Record, state: str, result: DeliveryResult) -> None:
        """Add a record, and write the archive when it is full."""
        self._records.append(record)
        self._states[record.title] = state
        if len(self._records) == _CELLS_PER_ARCHIVE:
            self.flush(result)

    def flush(self, result: DeliveryResult) -> None:
        """Write an archive of the records added since the last one."""
        if not self._records:
            return
        self._number += 1
        name = self._stem + (f"-{self._number:02d}" if self._several else "")
        path = self._job.results / "eln" / f"{name}.eln"
        if path.exists():  # from another night in the same second: a clock may have been set back
            name = f"{name}-{len(list(path.parent.iterdir()))}"
            path = path.with_name(f"{name}.eln")
        content = eln_archive(
            self._records, name, sender_from_settings(self._given), made_at=datetime.now(UTC)
        )
        count = len(self._records)
        try:
            write_bytes(path, content)
        except CellpipeError as error:
            result.failed.append(f"{path.name}: {error}")
        else:
            _save_values(
                self._job, {_delivery_key(_ARCHIVE, name): s for name, s in self._states.items()}
            )
            result.done.append(f"{path.name}: {count} cell{'s' if count > 1 else ''}.")
        self._records, self._states = [], {}


def _due_cells(
    lab: Lab, destination: str, settings: DeliverySettings, only: Sequence[str] = ()
) -> dict[str, str]:
    """Return the cells whose current state a destination does not have, each with that state.

    Cells that are named in ``only`` are due in any case.
    """
    delivered = lab.ledger.key_values(_delivery_key(destination, ""))
    states = {
        name: _state_digest(entry, settings) for name, entry in sorted(lab.ledger.cells().items())
    }
    if only:
        return {name: states[name] for name in only}
    return {
        name: state
        for name, state in states.items()
        if delivered.get(_delivery_key(destination, name)) != state
    }


def _state_digest(entry: CellEntry, settings: DeliverySettings) -> str:
    """Return a digest of a cell's results and of the settings that shape its delivery."""
    common = settings.model_copy(update={"kadi": None, "elabftw": None, "eln": False})
    state = (entry.inputs, entry.findings, common, __version__)
    return hashlib.sha256(repr(state).encode()).hexdigest()


def _delivery_key(destination: str, cell_id: str) -> str:
    return f"handed on to {destination}: {cell_id}"


def _save_values(lab: Lab, values: dict[str, str]) -> None:
    with acquire(lab.ledger, wait_second=_WAIT_SECONDS):
        for name, value in values.items():
            if lab.ledger.key_value(name) != value:
                lab.ledger.set_key_value(name, value)


def bdf_files(
    out: Path, stored: StoredCell, organisation: str, packed: bool
) -> Iterator[tuple[str, bytes | None]]:
    """Yield a cell's recordings as files of the Battery Data Format, each with its sidecar.

    Yields
    ------
    name, content
        One raw file after the other; for one that the format can't hold, a sentence and None.

    """
    values = sheet_values(stored.cell)
    used = stored.files.filter(pl.col("status") == "used").sort("started_at", "path")
    for number, row in enumerate(used.iter_rows(named=True), 1):
        timeseries, impedance = (
            contracts.empty_table(name)
            if (stored_table := read_table(out, name, row["file_sha256"])) is None
            else stored_table
            for name in ("timeseries", "impedance")
        )  # fmt: skip
        table = bdf.bdf_table(timeseries, impedance)
        if table is None:
            yield (f"{row['path']}: time, voltage and current are not all known, and the format "
                   "needs them; cellpipe export tables has what there is."), None  # fmt: skip
            continue
        name = bdf.bdf_name(organisation, stored.cell.cell_id, row["started_at"], number)
        suffix = "parquet" if packed else "csv"
        yield f"{name}.bdf.{suffix}", (bdf.parquet_bytes if packed else bdf.csv_bytes)(table)
        source_columns = ("path", "file_sha256", "format", "started_at", "size_byte")
        source = {key: row[key] for key in source_columns}
        absent = bdf.unmapped_columns(timeseries)
        yield f"{name}.metadata.json", bdf.sidecar(values, source, absent, organisation)
