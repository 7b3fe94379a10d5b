"""Find a second line of column names among the records: two files may have been joined.

What follows it need not be in the order of the first one's columns: it is left out, and said. Where
the names are the same in the same order, only their line is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cellpipe.formats.tabular.line_account import LineAccount
from cellpipe.formats.tabular.text_blocks import Block

_WORD = re.compile(r"[^\W\d_]{2,}")
_WORDS = 2  # by which lines that may name columns are found
_AGAIN = "the column names once more: two files may have been joined"


@dataclass(frozen=True)
class NamesAbove:
    """The lines that name the columns, and those of a file that may stand in it.

    ``rows`` are their fields, ``line`` is the number of the last of them, and ``may_repeat`` says
    that they stand again wherever a level begins.
    """

    rows: Sequence[Sequence[str]]
    separator: str
    encoding: str
    line: int
    may_repeat: bool = False
    is_nested: bool = False

    def leave_out_second(self, block: Block, account: LineAccount) -> Block:
        """Return the part of a block above a second line of column names."""
        content = block.content
        if account.is_closed:
            account.close(0, content)
            return replace(block, content=b"")
        for start, same in list(self._places(block)):
            above = account.line_at(block.offset) + block.skipped
            number = above + content.count(b"\n", 0, start) + 1
            if number <= self.line or (same and self.may_repeat):
                continue
            if not same or self.is_nested:
                account.close(number, content[start:])
                return replace(block, content=block.content[: start - len(content) or None])
            end = content.find(b"\n", start)
            end = len(content) if end < 0 else end
            account.reject(number, content[start:end], _AGAIN)
            content = content[:start] + b" " * (end - start) + content[end:]
        return replace(block, content=_without_blanked(content, block.content))

    def _places(self, block: Block) -> Iterator[tuple[int, bool]]:
        """Yield where lines of names begin, and whether they are those above in their order."""
        known = [_normalize(row) for row in self.rows]
        for row in self.rows:
            words = self._words(row, block)
            if not words or any(block.content.find(word) < 0 for word in words):
                continue
            at = block.content.find(words[0])
            while at >= 0:
                start = block.content.rfind(b"\n", 0, at) + 1
                end = block.content.find(b"\n", at)
                end = len(block.content) if end < 0 else end
                line = block.content[start:end]
                if all(word in line for word in words):
                    names = _normalize(self._decode(line, block).split(self.separator))
                    near = [row for row in known if _is_alike(names, row)]
                    if near:
                        yield start, names in known
                at = block.content.find(words[0], end)

    def _words(self, row: Sequence[str], block: Block) -> list[bytes]:
        words = sorted({word for name in row for word in _WORD.findall(name)}, key=len)
        raw = (word.encode(self.encoding, "replace") for word in words[-_WORDS:])
        if block.as_latin:
            return [word.decode("latin-1").encode() for word in raw]
        return [word.encode() for word in words[-_WORDS:]]

    def _decode(self, line: bytes, block: Block) -> str:
        text = line.decode("utf-8", "replace")
        if block.as_latin:
            text = text.encode("latin-1", "replace").decode(self.encoding, "replace")
        return text


def _without_blanked(content: bytes, before: bytes) -> bytes:
    """Return the content with the lines that were made blank empty."""
    if content is before:
        return content
    return re.sub(rb"(?m)^ +$", b"", content)


def _normalize(fields: Sequence[str]) -> list[str]:
    names = [re.sub(r"[\s_\"'\ufeff~]", "", field).casefold() for field in fields]
    while names and not names[-1]:
        names.pop()
    return names


def _is_alike(names: Sequence[str], known: Sequence[str]) -> bool:
    """Return whether most of the shorter line's names stand in the other."""
    common = {*names} & {*known} - {""}
    shorter = min(len({*names} - {""}), len({*known} - {""}))
    return len(common) >= max(2, shorter / 2)
