"""State what is left of a file's bytes when its known parts have been counted.

The readers of binary formats account for every byte: header, records times their size, known
blocks. Whatever is left is a finding with its place, so that no record is missing without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cellpipe.core.model import Finding

_SHOWN = 3


@dataclass(frozen=True)
class Gap:
    """Bytes ``start`` to ``stop`` in which records were expected and none can be read.

    ``records`` is the number of records that are lost with them, at most.
    """

    start: int
    stop: int
    records: int


def lost_records(gaps: Sequence[Gap], content: str, expected: str) -> list[Finding]:
    """Return a finding of the places in which records are lost; none if there are no gaps.

    Parameters
    ----------
    gaps
        The places, in their order.
    content
        What they are places of, as in "the file" or "the member data.ndc".
    expected
        What was expected there, as in "records of 86 bytes".

    """
    if not gaps:
        return []
    records = sum(gap.records for gap in gaps)
    places = ", ".join(_describe(gap.start, gap.stop) for gap in gaps[:_SHOWN])
    more = f" and in {len(gaps) - _SHOWN} more places" if len(gaps) > _SHOWN else ""
    number = {0: "No record is", 1: "At most one record is"}.get(
        records, f"At most {records} records are"
    )
    sentence = (
        f"At {places}{more} {content} does not hold {expected}: it is damaged there. "
        f"{number} lost; the others were read. Copy the file again from the instrument."
    )
    return [Finding("warning", "records_lost", sentence, records)]


def rest_finding(start: int, stop: int, content: str, expected: str) -> Finding:
    """Return a finding of bytes that belong to no known part of a file.

    Parameters
    ----------
    start, stop
        Their place in the file, in bytes.
    content
        What the place is in, as in "the file".
    expected
        What was expected instead, as in "its end".

    """
    sentence = (
        f"At {_describe(start, stop)} {content} holds something that can't be read where "
        f"{expected} was expected; it was left out, and may have held records. "
        "Copy the file again from the instrument."
    )
    return Finding("warning", "bytes_left_over", sentence)


def _describe(start: int, stop: int) -> str:
    number = stop - start
    return f"byte {start} ({number} byte{'s' if number != 1 else ''})"
