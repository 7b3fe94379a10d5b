"""The errors of cellpipe: one tree; every message states file, found, expected and remedy.

::

    CellpipeError
    ├── FileError                a raw file can't be used
    │   ├── UnknownFormatError   no format (or more than one) recognises the file
    │   ├── DamagedFileError     the format is known, but the content does not conform to it
    │   └── NoDataError          the file is complete, but holds no record
    ├── ContractError            a table does not conform to its schema in schemas/
    ├── SchemaError              a file in schemas/ is itself invalid
    ├── CellSheetError           the cell sheet as a whole can't be read
    ├── StoreError               the results folder can't be used
    │   ├── LeaseError           another run is writing there
    │   ├── LockedFileError      another program holds a result file open
    │   │   └── ForeignFileError a file under a result's name is not cellpipe's
    │   ├── DamagedTableError    a table of the results can no longer be read
    │   └── DamagedLedgerError   the ledger's file is no longer a database
    ├── SettingsError            cellpipe.toml is missing or invalid
    ├── ServerError              the Prefect server can't be reached or started
    ├── SummaryError             the summary that people edit can't be updated
    └── DeliveryError            results can't be delivered
        └── NoAnswerError        the receiver did not answer; the outcome is not known
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Reason(str):
    """Why something could not be used: a text that keeps its parts.

    As text it is what :attr:`CellpipeError.reason` says; ``found``, ``expected`` and ``remedy`` are
    that error's, and ``file`` its file. A plain sentence has none of them.
    """

    found: str | None
    expected: str | None
    remedy: str | None
    file: str | None

    def __new__(
        cls,
        text: str,
        *,
        found: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
        file: str | None = None,
    ) -> Reason:
        """Create a reason from a sentence, or from an error's parts and their sentence."""
        made = super().__new__(cls, text)
        made.found, made.expected, made.remedy, made.file = found, expected, remedy, file
        return made

    @property
    def parts(self) -> dict[str, str | None]:
        """Return the parts by name, for scripts and tables; a plain sentence is what was found."""
        found = str(self) if self.found is None else self.found
        return {"file": self.file, "found": found, "expected": self.expected, "remedy": self.remedy}

    def without_file(self) -> Reason:
        """Return the same reason without the file, where that is known otherwise."""
        return Reason(
            str(self), found=self.found, expected=self.expected, remedy=self.remedy
        )  # fmt: skip

    def to_json(self) -> str:
        """Return the form stored in the ledger: the text itself, or JSON if it has parts."""
        return str(self) if self.found is None else json.dumps({"text": str(self), **self.parts})

    @classmethod
    def from_json(cls, stored: str) -> Reason:
        """Return the reason from its stored form; older versions stored a plain sentence."""
        if not stored.startswith('{"text": '):
            return cls(stored)
        parts = json.loads(stored)
        return cls(parts.pop("text"), **parts)

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str | None]]:
        """Keep the parts when pickled, from a worker process to its parent."""
        return (str(self),), {
            "found": self.found, "expected": self.expected, "remedy": self.remedy,
            "file": self.file,
        }  # fmt: skip


class CellpipeError(Exception):
    """An error in four parts: what was found, what was expected, the remedy, and the file.

    Parameters
    ----------
    found, expected, remedy
        One clause each, without a full stop at the end.
    file
        The file concerned, if any.

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
    def reason(self) -> Reason:
        """Return the message without the file's name, with its parts."""
        parts = [f"found {self.found}"]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(f"remedy: {self.remedy}")
        return Reason(
            "; ".join(parts) + ".", found=self.found, expected=self.expected or None,
            remedy=self.remedy or None, file=self.file,
        )  # fmt: skip

    @property
    def reason_with_file(self) -> Reason:
        """Return the message with the file's name, with its parts."""
        return Reason(str(self), **self.reason.parts)

    def with_file(self, file: Path | str) -> CellpipeError:
        """Return the same error with the file's name filled in."""
        return type(self)(self.found, expected=self.expected, remedy=self.remedy, file=file)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep all four parts when pickled, from a worker process to its parent."""
        return (_rebuild, (type(self), self.found, self.expected, self.remedy, self.file))


def _rebuild(
    kind: type[CellpipeError], found: str, expected: str, remedy: str, file: str | None
) -> CellpipeError:
    return kind(found, expected=expected, remedy=remedy, file=file)


class FileError(CellpipeError):
    """A raw file can't be used; the others are processed."""


class UnknownFormatError(FileError):
    """No format, or more than one, recognises the file."""


class DamagedFileError(FileError):
    """The format is known, but the content does not conform to it."""


class NoDataError(FileError):
    """The file is complete, but holds no record."""


class ContractError(CellpipeError):
    """A table does not conform to its schema."""


class SchemaError(CellpipeError):
    """A file in ``schemas/`` is itself invalid."""


class CellSheetError(CellpipeError):
    """The cell sheet as a whole can't be read."""


class StoreError(CellpipeError):
    """The results folder can't be used."""


class LeaseError(StoreError):
    """Another run is writing into the results folder."""


class LockedFileError(StoreError):
    """Another program (Excel, for example) holds a result file open; others can be written."""


class ForeignFileError(LockedFileError):
    """Somebody else's file has a result's name; it stays, and the others can be written."""


class DamagedTableError(StoreError):
    """A table of the results can no longer be read; the next run computes it again."""


class DamagedLedgerError(StoreError):
    """The ledger's file is no longer a database; see :mod:`cellpipe.store.recovery`."""


class SettingsError(CellpipeError):
    """``cellpipe.toml`` is missing or invalid."""


class ServerError(CellpipeError):
    """The Prefect server can't be reached or started; ``status`` is its HTTP status, if any."""

    status: int | None = None


class SummaryError(CellpipeError):
    """The summary that people edit can't be updated; it is left unchanged."""


class DeliveryError(CellpipeError):
    """A receiver of results (notebook, mail server) is down or refuses; it is tried again."""


class NoAnswerError(DeliveryError):
    """A receiver did not answer; whether it carried out the request is not known."""
