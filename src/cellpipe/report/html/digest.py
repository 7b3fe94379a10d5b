"""The digest of a night: as a page, and as plain text for mail and messengers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cellpipe.report.html.cell_page import template
from cellpipe.report.wording import count
from cellpipe.system.atomic_files import file_name

_MOST = 50  # lines of a kind


@dataclass
class Digest:
    """What happened since the last night; pairs are of a name and a sentence.

    ``done`` and ``failed`` are about handing on. Times are UTC, as the ledger writes them; an empty
    ``since`` is the beginning.
    """

    made_at: str
    since: str
    page: Path
    read: int
    computed: list[str]
    alarms: list[tuple[str, str]] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def tells(self, when: Literal["news", "alarms", "always"]) -> bool:
        """Tell whether there is what somebody wants to hear of."""
        alarming = bool(self.alarms or self.failed)
        news = alarming or bool(self.read or self.computed or self.aside)
        return {"always": True, "news": news, "alarms": alarming}[when]


def digest_title(found: Digest) -> str:
    """Give a subject line."""
    parts = [f"{count(len(found.computed), 'cell')} computed"]
    parts += [count(len(found.alarms), "alarm")] if found.alarms else []
    parts += [f"{len(found.aside)} set aside"] if found.aside else []
    parts += [f"{len(found.failed)} not handed on"] if found.failed else []
    return f"cellpipe: {', '.join(parts)}"


def digest_text(found: Digest) -> str:
    """Write the digest as plain text: alarms first, then what was set aside."""
    lines = [
        f"cellpipe, {_moment(found.made_at)}. Results: {found.page}",
        f"Since {_since(found)}: {_done(found)}.",
        *_listed("Alarms", [f"{name}: {said}" for name, said in found.alarms]),
        *_listed("Could not be used", [f"{name}: {said}" for name, said in found.aside]),
        *_listed("Could not be handed on", found.failed),
        *_listed("Handed on", found.done),
        *_listed("Cells computed", found.computed),
    ]
    return "\n".join(lines) + "\n"


def digest_page(found: Digest, *, version: str) -> str:
    """Write the digest as a page that lies beside the index."""
    return template("digest.html.j2").render(
        title=digest_title(found),
        line=f"{_moment(found.made_at)}; since {_since(found)}: {_done(found)}.",
        alarms=[(name, _link(name), said) for name, said in found.alarms],
        aside=found.aside,
        failed=found.failed,
        done=found.done,
        computed=[(name, _link(name)) for name in found.computed],
        version=version,
    )


def _done(found: Digest) -> str:
    files, cells = count(found.read, "file"), count(len(found.computed), "cell")
    return f"{files} read, {cells} computed"


def _link(cell_id: str) -> str:
    return f"cells/{file_name(cell_id)}.html"


def _since(found: Digest) -> str:
    return _moment(found.since) if found.since else "the beginning"


def _moment(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def _listed(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  … and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return ["", f"{title} ({len(lines)}):", *(f"  {line}" for line in lines[:_MOST]), *more]
