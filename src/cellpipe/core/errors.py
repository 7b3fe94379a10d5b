"""The errors of cellpipe: one tree, and every message says file, found, expected, remedy.

::

    CellpipeError
    ├── FileError                a raw file can't be used
    │   ├── UnknownFormatError   no format (or more than one) claims the file
    │   ├── DamagedFileError     the format is known, the content is not what it must be
    │   └── NoDataError          the file is whole and holds no record
    ├── ContractError            a table is not what its schema in schemas/ says
    ├── SchemaError              a file in schemas/ is itself wrong
    ├── CellSheetError           the cell sheet as a whole can't be read
    ├── StoreError               the results folder can't be used
    │   ├── WriterError          another run is writing there
    │   ├── HeldFileError        another program holds a file of the results open
    │   ├── DamagedTableError    a table of the results can't be read any more
    │   └── DamagedLedgerError   the ledger's file is no longer a database
    ├── SettingsError            cellpipe.toml is not what it must be
    ├── ServerError              the Prefect server can't be reached or started
    ├── SummaryError             people's summary is not what can be written into
    └── HandOnError              results can't be handed on
        └── NoAnswerError        the receiver did not answer: whether it did it is not known
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class CellpipeError(Exception):
    """What went wrong, in four parts.

    Parameters
    ----------
    found, expected, remedy
        One clause each, without a full stop at the end.
    file
        The file that it is about, if there is one.

    """

    def __init__(
        self, found: str, *, expected: str = "", remedy: str = "", file: Path | str | None = None
    ) -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        self.file = str(file) if file is not None else None
        super().__init__(found, expected, remedy, self.file)

    def __str__(self) -> str:
        """Return the whole message on one line."""
        name = f"{self.file}: " if self.file else ""
        return name + self.reason

    @property
    def reason(self) -> str:
        """The message without the file's name."""
        parts = [f"found {self.found}"]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(f"remedy: {self.remedy}")
        return "; ".join(parts) + "."

    def with_file(self, file: Path | str) -> CellpipeError:
        """Return the same error with the file's name filled in."""
        return type(self)(self.found, expected=self.expected, remedy=self.remedy, file=file)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way from a worker process to its parent."""
        return (_rebuild, (type(self), self.found, self.expected, self.remedy, self.file))


def _rebuild(
    kind: type[CellpipeError], found: str, expected: str, remedy: str, file: str | None
) -> CellpipeError:
    return kind(found, expected=expected, remedy=remedy, file=file)


class FileError(CellpipeError):
    """A raw file can't be used; the others go on."""


class UnknownFormatError(FileError):
    """No format, or more than one, claims the file."""


class DamagedFileError(FileError):
    """The format is known, the content is not what the format says it must be."""


class NoDataError(FileError):
    """The file is whole, and there is no record in it."""


class ContractError(CellpipeError):
    """A table is not what its schema says."""


class SchemaError(CellpipeError):
    """A file in ``schemas/`` is itself wrong."""


class CellSheetError(CellpipeError):
    """The cell sheet as a whole can't be read."""


class StoreError(CellpipeError):
    """The results folder can't be used."""


class LeaseError(StoreError):
    """Another run is writing into the results folder."""


class LockedFileError(StoreError):
    """Another program (Excel, say) holds a file of the results open; the others can be written."""


class DamagedTableError(StoreError):
    """A table of the results can't be read any more; the next run makes it again."""


class DamagedLedgerError(StoreError):
    """The ledger's file is no longer a database; see :mod:`cellpipe.store.recovery`."""


class SettingsError(CellpipeError):
    """``cellpipe.toml`` is not what it must be."""


class ServerError(CellpipeError):
    """The Prefect server can't be reached or started; ``status`` is that of its answer, if any."""

    status: int | None = None


class SummaryError(CellpipeError):
    """The summary that people write into can't be read; nothing of it is touched."""


class DeliveryError(CellpipeError):
    """A receiver of results (a notebook, a mail server) is away, or refuses; it is tried again."""


class NoAnswerError(DeliveryError):
    """A receiver did not answer; whether it did what it was asked is not known."""
