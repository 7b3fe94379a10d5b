"""The nightly run of a lab: run, check limits, hand on what is new, write a digest, notify."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cellpipe._version import __version__
from cellpipe.config.settings import (
    DeliverySettings,
    NotifySettings,
    Settings,
)
from cellpipe.core.errors import CellpipeError
from cellpipe.core.finding_rows import fold_findings
from cellpipe.core.model import CONTRADICTION
from cellpipe.handoff.notices import send_notice
from cellpipe.handoff.secrets import Blocks, resolve_secret
from cellpipe.pipeline.finalize import consolidate
from cellpipe.pipeline.news import ALARM_TIMES, AlarmTimes, alarm_key
from cellpipe.pipeline.summary import Summary, open_contradictions
from cellpipe.report.html.digest import Digest, digest_page, digest_text, digest_title
from cellpipe.service.delivery import DeliveryResult, deliver_all
from cellpipe.store.history import Event, last_event, read_events, utc_now
from cellpipe.store.lab import Lab
from cellpipe.store.layout import DIGESTS
from cellpipe.store.manifest import describe_file
from cellpipe.store.object_download import download
from cellpipe.store.object_upload import upload
from cellpipe.store.recovery import back_up_ledger
from cellpipe.store.writer_lease import acquire
from cellpipe.system.atomic_files import write_bytes

_log = logging.getLogger("cellpipe")
_NIGHT = "night"
_NOT_PUBLISHED = "what could not be published last"
_WAITING = "not yet delivered to"
_MOST_WAITING = 100_000  # signs of messages that wait for an address


@dataclass(frozen=True)
class NightlyResult:
    """What came of a night: what the run did, the digest, and what could not be handed on."""

    summary: Summary
    digest: Path
    failed: tuple[str, ...]


def last_night_start(lab: Lab) -> str | None:
    """Return when the last nightly run that came to its end began (UTC), or None."""
    night = _last_event(lab)
    return night.reason if night else None


def _last_event(lab: Lab) -> Event | None:
    return last_event(lab.ledger.database, _NIGHT, "ended")


def run_night(
    lab: Lab,
    run: Callable[[Lab], Summary],
    *,
    settings: Settings | None = None,
    base_dir: Path | None = None,
    blocks: Blocks | None = None,
) -> NightlyResult:
    """Run a lab's night: fetch what is new, run, check limits, hand on, leave a digest, notify.

    The digest lies in the results as ``digest.txt`` and ``digest.html``: what is new since the
    last one. A copy of the ledger is kept.

    Parameters
    ----------
    lab
        The lab.
    run
        Runs it: in this process, or as the tasks of a flow.
    settings, base_dir
        The settings and the folder that they lie in.
    blocks
        What returns the content of a Secret block of Prefect.

    """
    start = utc_now()
    if settings is not None:
        lab = replace(lab, limits=settings.limits.to_limits())
    missed = _fetch_files(lab)
    summary = run(lab)
    base_dir = base_dir or lab.results
    last = _last_event(lab)
    before = str(last.numbers.get("told_until", last.at)) if last else ""
    delivery = settings.hand_on if settings else DeliverySettings()
    delivered = deliver_all(lab, delivery, base_dir, start, blocks)
    digest = build_digest(lab, summary, before, delivered)
    # What fails in publishing stands in the next digest, for this one is published itself.
    digest.failed += (*missed, *filter(None, [lab.ledger.key_value(_NOT_PUBLISHED)]))
    notify = settings.notify if settings else NotifySettings()
    failed = _notify(lab, digest, notify, base_dir, blocks)
    digest.failed += failed
    path = _write_digest(lab, digest)
    not_published = _end_night(lab, start, digest)
    return NightlyResult(summary, path, (*missed, *delivered.failed, *failed, *not_published))


def _write_digest(lab: Lab, digest: Digest) -> Path:
    text, page = digest_text(digest), digest_page(digest, version=__version__)
    text_path, page_path = (lab.results / name for name in DIGESTS)
    write_bytes(page_path, page.encode("utf-8"))
    return write_bytes(text_path, text.encode("utf-8"))


def _end_night(lab: Lab, start: str, digest: Digest) -> list[str]:
    """Record that the night ended, keep a copy of the ledger, publish; return what failed."""
    with acquire(lab.ledger, wait_second=600):
        event = Event(_NIGHT, "ended", reason=start, numbers={"told_until": digest.made_at})
        digests = [describe_file(lab.results, lab.results / name) for name in DIGESTS]
        lab.ledger.record_files(lab.folder, (), written=digests, events=[event])
        consolidate(lab, all_of_it=True)
        back_up_ledger(lab.results)
        not_published = _publish_results(lab)
        lab.ledger.set_key_value(_NOT_PUBLISHED, "; ".join(not_published) or None)
    return not_published


def _fetch_files(lab: Lab) -> list[str]:
    """Bring the files of object storage into a lab's folder; return what failed."""
    if lab.fetch_url is None:
        return []
    try:
        _log.info("%s", download(lab.fetch_url, lab.folder))
    except CellpipeError as error:  # the night goes on with what is there
        return [f"fetch: {error}"]
    return []


def _publish_results(lab: Lab) -> list[str]:
    if lab.publish_url is None:
        return []
    try:
        _log.info("%d files published", upload(lab.ledger, lab.publish_url))
    except CellpipeError as error:
        return [f"publish: {error}"]
    return []


def build_digest(lab: Lab, summary: Summary, since: str, handed: DeliveryResult) -> Digest:
    """Collect what happened since a time (UTC)."""
    now = utc_now()
    events = read_events(lab.ledger.database, since=since)
    times = json.loads(lab.ledger.key_value(ALARM_TIMES) or "{}")
    new, standing = split_by_time(summary.findings.filter(severity="alarm"), times, since)
    against = summary.findings.filter(pl.col("code").str.starts_with(CONTRADICTION))
    new_checks = {(e.subject, e.reason) for e in events if e.event == "check"}
    return Digest(
        made_at=now,
        since=since,
        page=summary.page,
        read=len({e.subject for e in events if e.event == "read"}),
        computed=sorted({e.subject for e in events if e.event == "computed"}),
        alarms=list(new.select("cell_id", "sentence").iter_rows()),
        standing=standing.height,
        new_contradictions=split_by_time(against, times, since)[0].height,
        to_check=[str(line) for line in fold_findings(_checks(summary.findings, new_checks))],
        rejected=[(failure.path, failure.reason) for failure in summary.failures],
        done=list(handed.done),
        failed=list(handed.failed),
        contradictions=list(open_contradictions(summary.findings)),
    )


def split_by_time(
    findings: pl.DataFrame, times: AlarmTimes, since: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the findings first seen since a time (UTC), and those before it."""
    seen = [
        times.get(cell_id, {}).get(alarm_key(code, sentence), since)
        for cell_id, code, sentence in findings.select("cell_id", "code", "sentence").iter_rows()
    ]
    is_new = pl.Series([at >= since for at in seen], dtype=pl.Boolean)
    return findings.filter(is_new), findings.filter(~is_new)


def _checks(findings: pl.DataFrame, new: set[tuple[str, str | None]]) -> pl.DataFrame:
    """Return what is to be checked and was not there before."""
    pairs = findings.select("cell_id", "sentence").iter_rows()
    is_new = pl.Series([pair in new for pair in pairs], dtype=pl.Boolean)
    return findings.filter(is_new & (findings["severity"] == "check"))


def _notify(
    lab: Lab, found: Digest, given: NotifySettings, beside: Path, blocks: Blocks | None
) -> list[str]:
    """Tell each who is named, if there is what they want to hear of; give what failed.

    What could not be delivered waits, and goes before the next message.
    """
    text = digest_text(found) if found.has_news(given.when) else ""
    failed = []
    for reference in given.to:
        mark = f"{_WAITING} {reference}"
        waiting = lab.ledger.key_value(mark) or ""
        message = "\n".join(part for part in (waiting, text) if part)
        if not message:
            continue
        said = _send(reference, digest_title(found), message, beside, blocks)
        failed += said
        kept = message[-_MOST_WAITING:] if said else None
        if kept != lab.ledger.key_value(mark):
            with acquire(lab.ledger, wait_second=600):
                lab.ledger.set_key_value(mark, kept)
    return failed


def _send(reference: str, title: str, text: str, beside: Path, blocks: Blocks | None) -> list[str]:
    try:
        return send_notice([(reference, resolve_secret(reference, beside, blocks))], title, text)
    except CellpipeError as error:
        return [f"notify: {error}"]
