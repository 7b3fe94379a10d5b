"""What a format is, and what it is shown of a file before it may claim it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
class Format:
    """A vendor's format: how it is told, and how it is read.

    ``claims`` looks at the first bytes; a suffix alone proves nothing. ``read`` gives standard
    columns and raises a :class:`cellpipe.core.errors.FileError` that says found, expected and remedy.

    A format whose files may hold the recordings of several cells (a workbook with the channels of
    a test) also names the parts of a file (``parts``: none where it holds one) and reads one of
    them (``read_part``). A change of ``version`` lets the files of this format be read again.
    """

    name: str
    maker: str
    suffixes: tuple[str, ...]
    claims: Callable[[Sample], bool]
    read: Callable[[Path], Recording]
    parts: Callable[[Path], tuple[str, ...]] | None = None
    read_part: Callable[[Path, str], Recording] | None = None
    version: int = 1
