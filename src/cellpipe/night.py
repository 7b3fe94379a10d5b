"""The nightly run: everything that is new or changed since, and a digest of what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.lab import Summary
from cellpipe.result_files import written_whole
from cellpipe.store.history import Event, happened, utc_now
from cellpipe.store.recovery import keep_copy
from cellpipe.store.writer import writing

if TYPE_CHECKING:
    from cellpipe.intake import Job

_NIGHT = "night"
_MOST = 50  # lines of a kind


def begun() -> str:
    """Give the time at which a night begins; it is what :func:`ended` wants."""
    return utc_now()


def last_night(job: Job) -> str | None:
    """Give when the last nightly run that came to its end began (UTC), or None."""
    nights = [event for event in happened(job.ledger.database, _NIGHT) if event.event == "ended"]
    return nights[-1].reason if nights else None


def ended(job: Job, summary: Summary, since: str) -> Path:
    """Note that the night is over: leave a digest, and a copy of the ledger.

    Returns
    -------
    The digest, ``digest.txt`` in the results: what is new since the last one, for who reads mail.

    """
    before = last_night(job) or ""
    text = digest(job, summary, before)
    path = written_whole(job.out / "digest.txt", lambda p: p.write_text(text, encoding="utf-8"))
    with writing(job.ledger, wait_second=600):
        event = Event(_NIGHT, "ended", reason=since)
        job.ledger.remember(job.folder, (), events=[event])
        keep_copy(job.out)
    return path


def digest(job: Job, summary: Summary, since: str) -> str:
    """Say in plain text what happened since a time (UTC): alarms first, then what was set aside."""
    events = happened(job.ledger.database, since=since)
    read = {e.subject for e in events if e.event == "read"}
    computed = sorted({e.subject for e in events if e.event == "computed"})
    alarms = [f"{e.subject}: {e.reason}" for e in events if e.event == "alarm"]
    aside = [f"{failure.path}: {failure.reason}" for failure in summary.failures]
    start = f"{since[:16].replace('T', ' ')} UTC" if since else "the beginning"
    lines = [
        f"cellpipe, {utc_now()[:16].replace('T', ' ')} UTC. Results: {summary.page}",
        f"Since {start}: {len(read)} files read, {len(computed)} cells computed.",
        *_listed("Alarms", alarms),
        *_listed("Could not be used", aside),
        *_listed("Cells computed", computed),
    ]
    return "\n".join(lines) + "\n"


def _listed(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  … and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return ["", f"{title} ({len(lines)}):", *(f"  {line}" for line in lines[:_MOST]), *more]
