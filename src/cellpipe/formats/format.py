"""What a format is, and what it is shown of a file before it may claim it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cellpipe.core.errors import CellpipeError
from cellpipe.core.model import Recording


@dataclass(frozen=True)
class Sample:
    """The beginning of a file: its path (for formats inside a zip) and its first 64 KiB."""

    path: Path
    head: bytes

    @property
    def suffix(self) -> str:
        """The file's suffix in lower case, with the dot."""
        return self.path.suffix.lower()


@dataclass(frozen=True)
class Statement:
    """What somebody says of a file that it does not say itself.

    ``columns`` are their names, separated by commas; ``area_cm2`` is the area that an impedance in
    Ω cm² was multiplied with.
    """

    columns: str | None = None
    area_cm2: float | None = None


@dataclass(frozen=True)
class Format:
    """A vendor's format: how files are recognised, read, and found complete.

    ``suffixes`` are in lower case, with the dot: a file that has one of them is taken for a raw
    file by everything that looks for some. ``claims`` looks at the first bytes; a suffix alone
    proves nothing. ``read`` gives standard columns and raises a
    :class:`cellpipe.core.errors.FileError` that says found, expected and remedy.

    A format whose files may hold the recordings of several cells (a workbook with the channels of
    a test) also names the parts of a file (``parts``: none where it holds one) and reads one of
    them (``read_part``). A change of ``version`` lets the files of this format be read again.

    ``is_complete`` takes a file, open at its beginning, and its size in bytes, and returns whether
    it ends where the format says. The watch waits for one that doesn't, for a while; it is never
    refused. None: the format says nothing of its end. ``companions`` are suffixes of files that the
    instrument's program writes beside one, under the same name, and that are read with it.

    ``is_general``: it is no maker's, and claims a file only if no other format does.
    ``read_with_statement`` reads a file with what somebody says of it.

    Raises
    ------
    CellpipeError
        If a suffix is not in lower case with the dot: no file's would be equal to it.

    """

    name: str
    maker: str
    suffixes: tuple[str, ...]
    claims: Callable[[Sample], bool]
    read: Callable[[Path], Recording]
    parts: Callable[[Path], tuple[str, ...]] | None = None
    read_part: Callable[[Path, str], Recording] | None = None
    is_complete: Callable[[BinaryIO, int], bool] | None = None
    companions: tuple[str, ...] = ()
    is_general: bool = False
    read_with_statement: Callable[[Path, Statement], Recording] | None = None
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse a suffix that no file could have."""
        for suffix in (*self.suffixes, *self.companions):
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise CellpipeError(
                    f"the suffix {suffix!r} of the format {self.name}",
                    expected="one in lower case, with the dot, such as '.log'",
                    remedy="correct it where the format is declared",
                )
