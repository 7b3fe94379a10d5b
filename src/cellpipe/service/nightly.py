"""The nightly run's end: what crossed a limit, what is handed on, a digest of it all."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe._version import __version__
from cellpipe.config.settings import (
    DeliverySettings,
    LabSettings,
    LimitSettings,
    NotifySettings,
    Settings,
)
from cellpipe.core.errors import CellpipeError
from cellpipe.handoff.notices import send_notice
from cellpipe.handoff.secrets import Blocks, resolve_secret
from cellpipe.pipeline.finalize import Summary, consolidate
from cellpipe.report.html.digest import Digest, digest_page, digest_text, digest_title
from cellpipe.service.alarms import check_limits
from cellpipe.service.delivery import DeliveryResult, deliver_all
from cellpipe.store import read_table
from cellpipe.store.history import Event, last_event, read_events, utc_now
from cellpipe.store.object_download import download
from cellpipe.store.object_upload import upload
from cellpipe.store.recovery import back_up_ledger
from cellpipe.store.writer_lease import acquire
from cellpipe.system.atomic_files import atomic_write

if TYPE_CHECKING:
    from cellpipe.pipeline.ingest import Job

_log = logging.getLogger("cellpipe")
_NIGHT = "night"
_NOT_PUBLISHED = "what could not be published last"
_CROSSED = "limits crossed"
_WAITING = "not yet delivered to"
_MOST_WAITING = 100_000  # signs of messages that wait for an address


@dataclass(frozen=True)
class NightlyResult:
    """What came of a night besides its results: the digest, and what could not be handed on."""

    digest: Path
    failed: tuple[str, ...]


def start() -> str:
    """Return the time at which a night begins; it is what :func:`finish` wants."""
    return utc_now()


def last_night_start(job: Job) -> str | None:
    """Return when the last nightly run that came to its end began (UTC), or None."""
    night = _last_event(job)
    return night.reason if night else None


def _last_event(job: Job) -> Event | None:
    return last_event(job.ledger.database, _NIGHT, "ended")


def finish(
    job: Job,
    summary: Summary,
    since: str,
    *,
    given: Settings | None = None,
    beside: Path | None = None,
    blocks: Blocks | None = None,
    missed: Sequence[str] = (),
) -> NightlyResult:
    """End a night: tell of limits crossed, hand on what is new, leave a digest, tell people.

    The digest lies in the results as ``digest.txt`` and ``digest.html``: what is new since the
    last one. A copy of the ledger is kept.

    Parameters
    ----------
    job, summary
        The lab, and what the run did.
    since
        When the night began (UTC).
    given, beside
        The settings and the folder that they lie in.
    blocks
        What gives a Prefect secret block's content.
    missed
        What failed before the run, in sentences; the digest tells of it. What fails in publishing
        is in the next one, for the digest is published itself.

    """
    beside = beside or job.out
    night = _last_event(job)
    before = str(night.numbers.get("told_until", night.at)) if night else ""
    _record_alarms(job, summary, given.limits if given else LimitSettings())
    hand_on = given.hand_on if given else DeliverySettings()
    handed = deliver_all(job, hand_on, beside, since, blocks)
    found = build_digest(job, summary, before, handed)
    before_it = (*missed, *filter(None, [job.ledger.key_value(_NOT_PUBLISHED)]))
    found.failed += before_it
    failed = _notify(job, found, given.notify if given else NotifySettings(), beside, blocks)
    found.failed += failed
    text, page = digest_text(found), digest_page(found, version=__version__)
    path = atomic_write(job.out / "digest.txt", lambda p: p.write_text(text, encoding="utf-8"))
    atomic_write(job.out / "digest.html", lambda p: p.write_text(page, encoding="utf-8"))
    with acquire(job.ledger, wait_second=600):
        event = Event(_NIGHT, "ended", reason=since, numbers={"told_until": found.made_at})
        job.ledger.record_files(job.folder, (), events=[event])
        consolidate(job, all_of_it=True)
        back_up_ledger(job.out)
        not_published = _publish_results(job, find_lab(given, job.out))
        job.ledger.set_key_value(_NOT_PUBLISHED, "; ".join(not_published) or None)
    return NightlyResult(path, (*missed, *handed.failed, *failed, *not_published))


def find_lab(given: Settings | None, out: Path) -> LabSettings | None:
    """Return the settings of the lab with these results."""
    labs = given.lab if given else ()
    return next((lab for lab in labs if lab.results.resolve() == out.resolve()), None)


def fetch_files(lab: LabSettings | None) -> list[str]:
    """Bring the files of object storage into a lab's folder; give what failed."""
    if lab is None or lab.fetch is None:
        return []
    try:
        _log.info("%s", download(lab.fetch, lab.folder))
    except CellpipeError as error:  # the night goes on with what is there
        return [f"fetch: {error}"]
    return []


def _publish_results(job: Job, lab: LabSettings | None) -> list[str]:
    if lab is None or lab.publish is None:
        return []
    try:
        _log.info("%d files published", upload(job.ledger, lab.publish))
    except CellpipeError as error:
        return [f"publish: {error}"]
    return []


def build_digest(job: Job, summary: Summary, since: str, handed: DeliveryResult) -> Digest:
    """Collect what happened since a time (UTC)."""
    now = utc_now()
    events = read_events(job.ledger.database, since=since)
    return Digest(
        made_at=now,
        since=since,
        page=summary.page,
        read=len({e.subject for e in events if e.event == "read"}),
        computed=sorted({e.subject for e in events if e.event == "computed"}),
        alarms=[(e.subject, e.reason or "") for e in events if e.event == "alarm"],
        rejected=[(failure.path, failure.reason) for failure in summary.failures],
        done=list(handed.done),
        failed=list(handed.failed),
    )


def _record_alarms(job: Job, summary: Summary, limits: LimitSettings) -> None:
    """Note an alarm for each limit that a cell has crossed and had not before."""
    known: dict[str, list[str]] = json.loads(job.ledger.key_value(_CROSSED) or "{}")
    states = json.loads(job.ledger.key_value(f"{_CROSSED}: states") or "{}")
    before, now, alarms = dict(states), dict(known), []
    entries = job.ledger.cells()
    for (cell_id,), row in summary.cells.group_by("cell_id", maintain_order=True):
        name = str(cell_id)
        state = f"{entries[name].inputs if name in entries else ''} {limits!r}"
        if states.get(name) == state:
            continue
        cycles = read_table(job.out, "cycles", name)
        found = [] if cycles is None else check_limits(row, cycles, limits)
        states[name], now[name] = state, [crossing.code for crossing in found]
        alarms += [
            Event(name, "alarm", reason=crossing.sentence)
            for crossing in found
            if crossing.code not in known.get(name, [])
        ]
    if alarms or now != known or states != before:
        _save_alarms(job, {_CROSSED: now, f"{_CROSSED}: states": states}, alarms)


def _save_alarms(job: Job, marks: Mapping[str, object], events: list[Event]) -> None:
    with acquire(job.ledger, wait_second=600):
        job.ledger.record_files(job.folder, (), events=events)
        for name, value in marks.items():
            job.ledger.set_key_value(name, json.dumps(value, sort_keys=True))


def _notify(
    job: Job, found: Digest, given: NotifySettings, beside: Path, blocks: Blocks | None
) -> list[str]:
    """Tell each who is named, if there is what they want to hear of; give what failed.

    What could not be delivered waits, and goes before the next message.
    """
    text = digest_text(found) if found.has_news(given.when) else ""
    failed = []
    for reference in given.to:
        mark = f"{_WAITING} {reference}"
        waiting = job.ledger.key_value(mark) or ""
        message = "\n".join(part for part in (waiting, text) if part)
        if not message:
            continue
        said = _send(reference, digest_title(found), message, beside, blocks)
        failed += said
        kept = message[-_MOST_WAITING:] if said else None
        if kept != job.ledger.key_value(mark):
            with acquire(job.ledger, wait_second=600):
                job.ledger.set_key_value(mark, kept)
    return failed


def _send(reference: str, title: str, text: str, beside: Path, blocks: Blocks | None) -> list[str]:
    try:
        return send_notice([(reference, resolve_secret(reference, beside, blocks))], title, text)
    except CellpipeError as error:
        return [f"notify: {error}"]
