"""Find the regions of a text that were overwritten with zeros or with ones.

A power failure or a broken network share leaves blocks of zeros where lines were, erased flash
memory blocks of 0xFF. Such a region has no line ends: it stands within one line, with what is left
of the line before it and of the one after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cellpipe.core.model import Finding

_ERASED = re.compile(rb"\x00+|\xff{4,}")
_KINDS = {0x00: "zeros", 0xFF: "bytes 0xFF"}
_SHOWN = 3


@dataclass(frozen=True)
class Erased:
    """A line with erased bytes: the first and the last of them, how many, and what it holds.

    ``first`` and ``last`` are None where the place in the file is not known.
    """

    first: int | None
    last: int | None
    number: int
    kind: str
    line: int
    lines_lost: int
    is_end: bool
    text: bytes


def has_erasures(content: bytes) -> bool:
    """Return whether there are erased bytes, in a time that is small beside reading the text."""
    return b"\x00" in content or (b"\xff" in content and b"\xff" * 4 in content)


def blank_erasures(content: bytes, offset: int | None, line: int) -> tuple[bytes, list[Erased]]:
    """Return the content with the lines that have erased bytes made empty, and what these were.

    ``offset`` is the place of the content in the file (None: not known), ``line`` the number of
    lines above it.
    """
    end = b"\n" if b"\n" in content else b"\r"
    runs = [match.span() for match in _ERASED.finditer(content)]
    intact = len(content) - sum(stop - start for start, stop in runs)
    usual = max(1, intact // (content.count(end) + 1))  # length of a line
    kept, regions, at = list[bytes](), list[Erased](), 0
    for first, stop in runs:
        if first < at:  # in the line of the run before
            continue
        start = max(at, content.rfind(end, at, first) + 1)
        line_end = content.find(end, first)
        line_end = len(content) if line_end < 0 else line_end
        in_line = list(_ERASED.finditer(content, first, line_end))
        number = sum(run.end() - run.start() for run in in_line)
        line += content.count(end, at, start)
        last = in_line[-1].end() - 1 if in_line else stop - 1
        regions.append(
            Erased(
                first=None if offset is None else offset + first,
                last=None if offset is None else offset + last,
                number=number,
                kind=_KINDS[content[first]],
                line=line + 1,
                lines_lost=1 + number // usual,
                is_end=last == len(content) - 1,
                text=_ERASED.sub(b" ", content[start:line_end]),
            )
        )
        kept.append(content[at:start])
        at = line_end
    return b"".join([*kept, content[at:]]), regions


def erased_findings(regions: Sequence[Erased], titles: int) -> Iterator[Finding]:
    """Yield the findings about erased bytes; ``titles`` counts the lines above the records."""
    above = [region for region in regions if region.line <= titles]
    below = [region for region in regions if region.line > titles]
    if above:
        sentence = f"{_describe(above)}, above the records: what stood there is lost."
        yield Finding("warning", "bytes_erased", sentence)
    if below:
        lost = sum(region.lines_lost for region in below)
        lines = "one line is" if lost == 1 else f"about {lost:,} lines are"
        sentence = f"{_describe(below)}: {lines} lost and left out."
        yield Finding("warning", "bytes_erased", sentence, lost)


def _describe(regions: Sequence[Erased]) -> str:
    """Return what was erased and where, as the beginning of a sentence."""
    kinds = " and ".join(dict.fromkeys(region.kind for region in regions))
    more = f" and {len(regions) - _SHOWN:,} other places" if len(regions) > _SHOWN else ""
    places = "; ".join(_place(region) for region in regions[:_SHOWN])
    return f"There are {kinds} instead of text: {places}{more}"


def _place(region: Erased) -> str:
    line = f"line {region.line:,}"
    if region.first is None or region.last is None:
        return f"{region.number:,} in {line}"
    if region.is_end:
        return f"from byte {region.first:,} ({line}) to the end of the file"
    if region.first == region.last:
        return f"byte {region.first:,} ({line})"
    return f"bytes {region.first:,} to {region.last:,} ({line})"
