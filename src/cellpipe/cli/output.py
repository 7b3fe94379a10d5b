"""What a command prints: without control characters and secrets, wherever it goes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from cellpipe.core.clean_text import clean_lines


class CleanStream:
    """A text stream that cleans what is written; ``inner`` takes text that is clean already."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner

    def write(self, text: str) -> int:
        """Write text with its control characters written out, and no secret of an address."""
        self.inner.write(clean_lines(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write lines as :meth:`write` does."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Be the stream in everything else."""
        return getattr(self.inner, name)


@contextmanager
def clean_output() -> Iterator[None]:
    """Clean what is printed meanwhile; print Ω and → into a file or a pipe, too.

    On Windows these are in an old encoding.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    sys.stdout, sys.stderr = (cast("TextIO", CleanStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def terminal_stream(stream: TextIO) -> TextIO:
    """Return the stream that takes a terminal's own control characters: styles and bars."""
    return getattr(stream, "inner", stream)
