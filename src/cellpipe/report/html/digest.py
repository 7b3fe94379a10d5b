"""Write the digest of a night as a page, and as plain text for mail and messengers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cellpipe.core.clean_text import clean_line
from cellpipe.report.html.cell_page import load_template
from cellpipe.report.wording import pluralize
from cellpipe.system.atomic_files import file_name

_AGAINST_PHYSICS = "Against physics, so not compared and not handed on"
_MAX_LINES = 50  # lines of a section


@dataclass
class Digest:
    """What happened since the last night; pairs are of a name and a sentence.

    ``alarms`` are new ones, ``standing`` counts those from before, ``to_check`` has what is new to
    be checked, a line each. ``done`` and ``failed`` are about delivery; ``contradictions`` are all
    that stand, of which ``new_contradictions`` are new.
    Times are UTC, as the ledger writes them; an empty ``since`` means since the beginning.
    """

    made_at: str
    since: str
    page: Path
    read: int
    computed: list[str]
    alarms: list[tuple[str, str]] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    contradictions: list[tuple[str, str]] = field(default_factory=list)
    new_contradictions: int = 0
    standing: int = 0
    to_check: list[str] = field(default_factory=list)

    def has_news(self, when: Literal["news", "alarms", "always"]) -> bool:
        """Return whether there is anything to send by the setting ``when``."""
        alarming = bool(self.alarms or self.failed or self.new_contradictions)
        news = alarming or bool(self.read or self.computed or self.rejected)
        return {"always": True, "news": news, "alarms": alarming}[when]


def digest_title(found: Digest) -> str:
    """Return the subject line of the digest."""
    parts = [f"{pluralize(len(found.computed), 'cell')} computed"]
    parts += [pluralize(len(found.alarms), "alarm")] if found.alarms else []
    count = len({name for name, _ in found.contradictions})
    parts += [f"{count} against physics"] if count else []
    parts += [f"{len(found.rejected)} set aside"] if found.rejected else []
    parts += [f"{len(found.failed)} not handed on"] if found.failed else []
    return f"cellpipe: {', '.join(parts)}"


def digest_text(found: Digest) -> str:
    """Return the digest as plain text: alarms first, then rejected files."""
    lines = [
        f"cellpipe, {_format_time(found.made_at)}. Results: {found.page}",
        f"Since {_since_text(found)}: {_counts_text(found)}.",
        *_section_lines("Alarms", [f"{name}: {said}" for name, said in found.alarms]),
        *_section_lines(_AGAINST_PHYSICS, [f"{n}: {said}" for n, said in found.contradictions]),
        *(["", _standing_text(found)] if found.standing else []),
        *_section_lines("New to check", found.to_check),
        *_section_lines("Could not be used", [f"{name}: {said}" for name, said in found.rejected]),
        *_section_lines("Could not be handed on", found.failed),
        *_section_lines("Handed on", found.done),
        *_section_lines("Cells computed", found.computed),
    ]
    return "\n".join(map(clean_line, lines)) + "\n"


def digest_page(found: Digest, *, version: str) -> str:
    """Return the digest as a page, to be stored beside the index."""
    sections = (
        "alarms", "contradictions", "rejected", "failed", "done", "computed", "to_check",
    )  # fmt: skip
    lengths = {name: len(getattr(found, name)) for name in sections}
    return load_template("digest.html.j2").render(
        title=digest_title(found),
        line=f"{_format_time(found.made_at)}; since {_since_text(found)}: {_counts_text(found)}.",
        alarms=[(name, _link(name), said) for name, said in found.alarms[:_MAX_LINES]],
        against_physics=_AGAINST_PHYSICS,
        contradictions=[(n, _link(n), said) for n, said in found.contradictions[:_MAX_LINES]],
        standing=_standing_text(found) if found.standing else "",
        to_check=found.to_check[:_MAX_LINES],
        rejected=found.rejected[:_MAX_LINES],
        failed=found.failed[:_MAX_LINES],
        done=found.done[:_MAX_LINES],
        computed=[(name, _link(name)) for name in found.computed[:_MAX_LINES]],
        more={name: max(0, length - _MAX_LINES) for name, length in lengths.items()},
        version=version,
    )


def _counts_text(found: Digest) -> str:
    files, cells = pluralize(found.read, "file"), pluralize(len(found.computed), "cell")
    return f"{files} read, {cells} computed"


def _standing_text(found: Digest) -> str:
    """Return how many alarms stand that were told before, and where."""
    verb = "stands" if found.standing == 1 else "stand"
    return (
        f"{pluralize(found.standing, 'alarm')} from before still {verb}: see the page of all cells."
    )


def _link(cell_id: str) -> str:
    return f"cells/{file_name(cell_id)}.html"


def _since_text(found: Digest) -> str:
    return _format_time(found.since) if found.since else "the beginning"


def _format_time(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def _section_lines(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  … and {len(lines) - _MAX_LINES} more"] if len(lines) > _MAX_LINES else []
    return ["", f"{title} ({len(lines)}):", *(f"  {line}" for line in lines[:_MAX_LINES]), *more]
