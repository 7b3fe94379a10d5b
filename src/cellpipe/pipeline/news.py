"""What is new since yesterday: by when the results first held it, never by a file's date."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from cellpipe.core.finding_rows import HAPPENED
from cellpipe.core.model import CONTRADICTION
from cellpipe.report.news import News
from cellpipe.store.history import Event
from cellpipe.store.lab import Lab
from cellpipe.store.ledger import Arrivals

ALARM_TIMES = "alarms first seen"
_NEXT_LOOK = "what is new, or silent, is to be looked at again"
_DAY = timedelta(hours=24)
_NIGHT_AGES = (timedelta(hours=23), timedelta(hours=36))  # of the night before the last
AlarmTimes = Mapping[str, Mapping[str, str]]  # first seen, by cell and alarm


def keep_alarm_times(lab: Lab, findings: pl.DataFrame, before: str | None, now: str) -> AlarmTimes:
    """Record when each alarm that stands, and each contradiction, was first seen; return it.

    ``before`` is what the ledger keeps of them. What is new is an event of the cell's history, too.
    """
    known: dict[str, dict[str, str]] = json.loads(before or "{}")
    against = pl.col("code").str.starts_with(CONTRADICTION)
    standing = findings.filter((pl.col("severity") == "alarm") | against)
    times: dict[str, dict[str, str]] = {}
    events = []
    for cell_id, code, sentence in standing.select("cell_id", "code", "sentence").iter_rows():
        key = alarm_key(code, sentence)
        seen = known.get(cell_id, {}).get(key)
        times.setdefault(cell_id, {})[key] = seen or now
        if seen is None:
            events.append(Event(cell_id, "alarm", reason=sentence))
    if times != known:
        lab.ledger.record_files(lab.folder, (), events=events)
        lab.ledger.set_key_value(ALARM_TIMES, json.dumps(times, sort_keys=True))
    return times


def alarm_key(code: str, sentence: str) -> str:
    """Return what tells an alarm from others of its cell, and is the same while it stands."""
    return f"{code}: {sentence}" if code in HAPPENED else code


def collect_news(files: pl.DataFrame, arrived: Arrivals, times: AlarmTimes, now: str) -> News:
    """Return what is new in the last day before a run, or since the night before the last."""
    start, window = _window(arrived.nights, now)
    arrivals = arrived.files
    came: dict[str, datetime] = {}
    for path in files["path"]:
        time = arrivals[path].is_new_since if path in arrivals else None
        if time is not None and time >= start:
            came[path] = time
    dying = {
        cell_id: min(map(datetime.fromisoformat, new))
        for cell_id, alarms in times.items()
        if (new := [
            at for key, at in alarms.items()
            if datetime.fromisoformat(at) >= start and not key.startswith(CONTRADICTION)
        ])
    }  # fmt: skip
    used = files.filter(pl.col("cell_id").is_not_null())
    by_cell = dict(used.group_by("cell_id").agg("path").iter_rows())
    cells = [cell for cell, paths in by_cell.items() if all(path in came for path in paths)]
    grown = [c for c, paths in by_cell.items() if c not in cells and any(p in came for p in paths)]
    aside = files.filter(status="set aside")["path"]
    moments = [*came.values(), *dying.values()]
    return News(
        window, tuple(sorted(dying)), tuple(sorted(cells)), tuple(sorted(grown)),
        sum(path in came for cell in grown for path in by_cell[cell]),
        tuple(path for path in aside if path in came),
        min(moments) + _DAY if moments else None,
    )  # fmt: skip


def _window(nights: Sequence[datetime], now: str) -> tuple[datetime, str]:
    """Return since when something counts as new, and that in words."""
    moment = datetime.fromisoformat(now)
    earlier = [night for night in nights if _NIGHT_AGES[0] <= moment - night <= _NIGHT_AGES[1]]
    if earlier:
        return max(earlier), f"since the night of {max(earlier):%Y-%m-%d}"
    return moment - _DAY, f"in the 24 hours before the run of {moment:%Y-%m-%d} (UTC)"


def set_next_look(lab: Lab, news: News, alarm: datetime | None) -> None:
    """Record when a run has to look again though no file is new."""
    moments = [moment for moment in (news.until, alarm) if moment is not None]
    lab.ledger.set_key_value(_NEXT_LOOK, min(moments).isoformat() if moments else None)


def is_look_due(values: Mapping[str, str], now: str) -> bool:
    """Return whether a run has to look again, by the values that the ledger keeps."""
    due = values.get(_NEXT_LOOK)
    return due is not None and datetime.fromisoformat(due) <= datetime.fromisoformat(now)
