"""Check the pages of a member of an .ndax: each ends with the checksum of its other bytes.

A member (.ndc) is a head and pages of the same size. A page begins with its type, one more than the
head's, the number of its records in two bytes, and a bit per record. A damaged page is replaced by
an empty one, so that the records behind it keep their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from cellpipe.core.model import Finding
from cellpipe.formats.left_over import Gap, lost_records

try:  # several times as fast; it doesn't exist for every machine
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

_OLD_VERSIONS, _OLD_BYTES, _BYTES = {1, 2, 3, 4}, 512, 4096
_SUM_BYTES = 4
_MOST_CANDIDATES = 1000
_MOST_MOVED = 64  # bytes; if more came in or are missing, whole pages may, too


@dataclass(frozen=True)
class Pages:
    """A member whose pages are whole or empty; ``lost`` are the places of the empty ones.

    Up to ``certain`` it is known how many pages are missing; behind it pages may be out of place.
    """

    content: bytes
    page_bytes: int
    lost: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    certain: int | None = None

    def before_loss(self) -> bytes:
        """Return the content up to the first damaged page."""
        return self.content[: self.lost[0]] if self.lost else self.content

    def parts(self) -> list[bytes]:
        """Return the content between the damaged pages, each part with the head before it."""
        head = self.content[: self.page_bytes]
        begins = [self.page_bytes, *(place + self.page_bytes for place in self.lost)]
        ends = [*self.lost, len(self.content)]
        return [head + self.content[a:b] for a, b in zip(begins, ends, strict=True)]


def has_checksums(raw: bytes) -> bool:
    """Return whether a page of a member has a checksum; not every program writes them."""
    size = _page_bytes(raw)
    return any(
        _is_whole(raw, place, size, is_summed=True)
        for place in range(size, len(raw) - size + 1, size)
    )


def check_pages(raw: bytes, name: str, *, is_summed: bool) -> Pages:
    """Return a member's whole pages in their places, and findings of the damaged ones.

    Without checksums (``is_summed``) a page is whole if it has as many records as it states.
    """
    size = _page_bytes(raw)
    places = range(size, len(raw) - size + 1, size)
    if len(raw) % size == 0 and all(_is_whole(raw, p, size, is_summed=is_summed) for p in places):
        return Pages(raw, size)
    return _replace_damaged(raw, size, name, is_summed=is_summed)


def _page_bytes(raw: bytes) -> int:
    return _OLD_BYTES if len(raw) > 2 and raw[2] in _OLD_VERSIONS else _BYTES


def _is_whole(raw: bytes, place: int, size: int, *, is_summed: bool) -> bool:
    if raw[place] != raw[0] + 1:
        return False
    if is_summed:
        page = memoryview(raw)[place : place + size - _SUM_BYTES]
        stored = raw[place + size - _SUM_BYTES : place + size]
        return crc32(page) == int.from_bytes(stored, "little")
    bits = raw[place + 4 : place + (132 if size == _BYTES else 5)]
    count = int.from_bytes(raw[place + 2 : place + 4], "little")
    return count == int.from_bytes(bits, "little").bit_count() > 0


def _replace_damaged(raw: bytes, size: int, name: str, *, is_summed: bool) -> Pages:
    pages, gaps, lost = [raw[:size]], list[Gap](), list[int]()
    most, place = 1, size
    certain: int | None = None
    while place < len(raw):
        if len(raw) - place >= size and _is_whole(raw, place, size, is_summed=is_summed):
            most = max(most, int.from_bytes(raw[place + 2 : place + 4], "little"))
            pages.append(raw[place : place + size])
            place += size
            continue
        following = _next_page(raw, place + 1, size, is_summed=is_summed)
        end = len(raw) if following is None else following
        number = max(round((end - place) / size), int(following is None))
        if abs(end - place - number * size) > _MOST_MOVED and certain is None:
            certain = size * len(pages)
        lost += [size * (len(pages) + n) for n in range(number)]
        pages += [bytes(size)] * number
        gaps.append(Gap(place, end, number))
        place = end
    counted = [Gap(gap.start, gap.stop, gap.records * most) for gap in gaps]
    expected = f"pages of {size} bytes with the right {'checksum' if is_summed else 'count'}"
    findings = lost_records(counted, f"the member {name}", expected)
    return Pages(b"".join(pages), size, tuple(lost), tuple(findings), certain)


def _next_page(raw: bytes, place: int, size: int, *, is_summed: bool) -> int | None:
    """Return the place of the next whole page: the first one, up to the first in its place."""
    stop = len(raw) - size
    for in_step in range(place + size - 1, stop + 1, size):
        if _is_whole(raw, in_step, size, is_summed=is_summed):
            stop = in_step
            break
    start = bytes(((raw[0] + 1) % 256,))
    for _ in range(_MOST_CANDIDATES):
        place = raw.find(start, place, stop + 1)
        if place < 0:
            return None
        if _is_whole(raw, place, size, is_summed=is_summed):
            return place
        place += 1
    return stop if _is_whole(raw, stop, size, is_summed=is_summed) else None
