"""What is about the whole lab at the end of a run: its tables, its page, and what the run did."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from cellpipe import analyses, report
from cellpipe._version import __version__
from cellpipe.baselines import table1
from cellpipe.core.errors import LockedFileError, Reason, StoreError
from cellpipe.core.finding_rows import file_findings, run_day, subject_rows
from cellpipe.core.model import Finding
from cellpipe.core.steps import StepFailure, run_step
from cellpipe.pipeline.cell_inputs import Grouping
from cellpipe.pipeline.cleanup import hides_files, remove_outdated
from cellpipe.pipeline.lab_tables import (
    files_table,
    findings_table,
    own_columns_table,
    sheet_table,
)
from cellpipe.pipeline.news import (
    ALARM_TIMES,
    collect_news,
    is_look_due,
    keep_alarm_times,
    set_next_look,
)
from cellpipe.pipeline.plan import Plan, reading_key
from cellpipe.pipeline.sheet_snapshot import SheetSnapshot
from cellpipe.pipeline.summary import Summary
from cellpipe.report.news import News
from cellpipe.store import LAB, Results, read_table, table_path, write_table
from cellpipe.store.consolidated import consolidate_tables
from cellpipe.store.failures import MAX_ATTEMPTS
from cellpipe.store.history import prune_events, utc_now
from cellpipe.store.lab import Lab
from cellpipe.store.layout import ALL_CELLS, INDEX, LAB_PAGES
from cellpipe.store.ledger import LAST_COMPLETE_STATE, PAGES_DUE, Arrivals
from cellpipe.store.manifest import describe_file, names_digest
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.own_folder import foreign_names
from cellpipe.system.scan import Failure

_log = logging.getLogger("cellpipe")


@dataclass(frozen=True)
class Run:
    """What a run planned and did, for its end; ``failures`` are those of its files and cells.

    ``pages_due`` asks for the lab's pages whether something changed or not. ``look_again`` is when
    an alarm may come without a new file, ``of_groups`` what is found about groups.
    """

    plan: Plan
    grouping: Grouping
    sheet: SheetSnapshot
    failures: tuple[Failure, ...] = ()
    computed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pages_due: bool = False
    look_again: datetime | None = None
    started_at: str = field(default_factory=utc_now)
    of_groups: Sequence[tuple[str, Finding]] = ()
    arrivals: Arrivals = field(default_factory=lambda: Arrivals({}, ()))


def finalize(lab: Lab, state: LedgerSnapshot, run: Run) -> Summary:
    """Tidy up, write what is about the whole lab, and its page; sum the run up."""
    plan, sheet = run.plan, run.sheet
    lab.ledger.set_key_value(LAST_COMPLETE_STATE, None)
    failed = [*plan.unreachable, *(failure for _, failure in plan.suspended), *run.failures]
    state, kept = remove_outdated(lab, state, plan, run.grouping)
    files = files_table(lab, state, plan, run.grouping, failed, run.arrivals.files)
    cell_sheet, unusual = sheet_table(run.grouping)
    said = [*sheet.findings, *unusual, *run.grouping.findings, *kept, *_foreign_findings(lab)]
    before, now = read_table(lab.results, "findings", LAB), run.started_at
    parts = [
        subject_rows("group", run.of_groups), subject_rows("file", file_findings(files)),
    ]  # fmt: skip
    findings = findings_table(state, run.grouping, said, failed, parts, before, run_day(now))
    times = keep_alarm_times(lab, findings, state.values.get(ALARM_TIMES), now)
    own = own_columns_table(run.grouping)
    tables = {"files": files, "findings": findings, "cell_sheet": cell_sheet, "own_columns": own}
    changed = _write_tables(lab, tables)
    consolidate(lab)
    is_due = bool(run.computed) or changed or run.pages_due or PAGES_DUE in state.values
    is_due = is_due or is_look_due(state.values, now)
    news = collect_news(files, run.arrivals, times, now)
    locked = _update_reports(lab, tables, news, is_due=is_due)
    if is_due:
        set_next_look(lab, news, run.look_again)
    if is_due or plan.new or locked:
        lab.ledger.set_key_value(PAGES_DUE, "yes" if locked else None)
    failures = [*_all_failures(state, files, failed), *sheet.failures, *locked]
    if plan.new or run.computed:
        lab.ledger.update(prune_events)
    ignored = tuple(lab.relative_name(path) for path in plan.ignored)
    is_open = sheet.failures or locked or _has_pending_retry(state, run.failures)
    if plan.walk and not (is_open or hides_files(lab, plan.unreachable)):
        _record_complete_state(lab, sheet, plan.walk, ignored, failures)
    return Summary(
        lab, len(plan.new), plan.reread, len(plan.known), ignored, len(run.computed),
        tuple(failures), files, findings, plan.unreachable, run.computed,
    )  # fmt: skip


def _all_failures(
    state: LedgerSnapshot, files: pl.DataFrame, failed: Sequence[Failure]
) -> list[Failure]:
    """Return every file that is set aside, and what else failed, each with its reason once."""
    rejected = files.filter(status="set aside").select("path", "reason")
    by_path = {failure.path: failure for failure in failed}
    found = []
    for path, reason in rejected.iter_rows():
        content, known = state.content_of(path), by_path.get(path)
        kept = [one.reason for one in (known, content) if one and one.reason == reason]
        found.append(Failure(path, kept[0] or reason if kept else reason))
    named = {failure.path for failure in found}
    return [*found, *(failure for failure in failed if failure.path not in named)]


def state_digest(lab: Lab, sheet: SheetSnapshot, walk: str) -> str:
    """Return what tells one complete state from another: folders, sheet, versions, results."""
    described = (
        lab.folder, lab.also, walk, sheet.digest, reading_key(lab, None), lab.limits,
        analyses.analysis_versions(), report.VERSION,
        names_digest(lab.results),
    )  # fmt: skip
    return hashlib.sha256(repr(described).encode()).hexdigest()


def _record_complete_state(
    lab: Lab, sheet: SheetSnapshot, walk: str, ignored: Sequence[str], failures: Sequence[Failure]
) -> None:
    reasons = [(f.path, Reason(f.reason, **f.parts).to_json()) for f in failures]
    described = {
        "state": state_digest(lab, sheet, walk), "left_alone": ignored, "failures": reasons,
    }  # fmt: skip
    lab.ledger.set_key_value(LAST_COMPLETE_STATE, json.dumps(described))


def last_summary(
    lab: Lab, state: LedgerSnapshot, sheet: SheetSnapshot, walk: str, files: int
) -> Summary | None:
    """Return what the last run ended with, if nothing is other than it was then; else None.

    Parameters
    ----------
    lab, state, sheet
        The lab, what its ledger knows, and its cell sheet.
    walk
        A digest of what is in the folders.
    files
        How many files are there.

    """
    last = json.loads(state.values.get(LAST_COMPLETE_STATE) or "{}")
    if sheet.failures or last.get("state") != state_digest(lab, sheet, walk):
        return None
    tables = (read_table(lab.results, name, LAB) for name in ("files", "findings"))
    files_there, findings = tables
    pages = (lab.results / name for name in LAB_PAGES)
    outputs = (*pages, table_path(lab.results, "cell_sheet", LAB))
    if files_there is None or findings is None or not all(path.is_file() for path in outputs):
        return None
    ignored = tuple(last["left_alone"])
    failures = tuple(Failure(path, Reason.from_json(kept)) for path, kept in last["failures"])
    known = files - len(ignored)
    return Summary(lab, 0, 0, known, ignored, 0, failures, files_there, findings)


def _has_pending_retry(state: LedgerSnapshot, failures: Sequence[Failure]) -> bool:
    """Return whether something is to be tried again.

    That is a failure of a file that is not suspended, or a cell that failed.
    """
    failed = state.failures
    if any(not one.reading or one.attempts < MAX_ATTEMPTS for one in failed.values()):
        return True
    return any(f.path not in state.seen and f.path not in failed for f in failures)


def consolidate(lab: Lab, *, all_of_it: bool = False) -> None:
    """Write the tables of many cells into one file each; see :mod:`cellpipe.store.consolidated`."""
    made = consolidate_tables(lab.results, all_of_it=all_of_it)
    if made:
        lab.ledger.record_result_files(describe_file(lab.results, path) for path in made)


def _write_tables(lab: Lab, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Write the lab's tables where they changed; return whether any did."""
    written = []
    for name, frame in tables.items():
        before = read_table(lab.results, name, LAB)
        if before is None or not before.equals(frame):
            path = write_table(lab.results, name, LAB, frame)
            written.append(describe_file(lab.results, path))
    if written:
        lab.ledger.record_result_files(written, pages_due=True)
    return bool(written)


def _foreign_findings(lab: Lab) -> list[Finding]:
    """Return a finding for each file that others put among the results."""
    return [
        Finding(
            "warning", "foreign_file",
            f"The results hold {name}, which cellpipe did not write. It is left as it is and not "
            "read; move it elsewhere.",
        )
        for name in sorted(foreign_names(lab.results))
    ]  # fmt: skip


def _update_reports(
    lab: Lab, tables: Mapping[str, pl.DataFrame], news: News, *, is_due: bool
) -> list[Failure]:
    """Write the lab's page and workbook if they are due, or not there."""
    if not is_due and all((lab.results / name).is_file() for name in LAB_PAGES):
        return []
    return _write_reports(lab, tables, news)


def read_lab_tables(lab: Lab) -> dict[str, pl.DataFrame]:
    """Return the tables of all cells that the lab's page and workbook are made of."""
    results = Results(lab.results)
    return {
        name: results[name].collect().sort("cell_id", maintain_order=True)
        for name in ("cells", "baseline_comparison", "cycles")
    }


def _write_reports(lab: Lab, of_lab: Mapping[str, pl.DataFrame], news: News) -> list[Failure]:
    """Write the lab's page and workbook; return what failed: it costs itself only."""
    published = read_table(lab.results, "baselines", LAB)
    baselines = table1() if published is None else published
    tables = read_lab_tables(lab) | dict(of_lab) | {"baselines": baselines}
    write_page = partial(report.write_index, news=news)
    writers: dict[str, Callable[..., Path]] = {
        INDEX: write_page, ALL_CELLS: report.write_lab_workbook,
    }  # fmt: skip
    failures, written = [], []
    for name, write in writers.items():
        made = run_step(partial(write, tables, lab.results, version=__version__))
        if isinstance(made, StepFailure):
            failures.append(Failure(name, _report_reason(name, made)))
        else:
            written.append(describe_file(lab.results, made))
    lab.ledger.record_result_files(written)
    return failures


def _report_reason(name: str, failure: StepFailure) -> Reason:
    """Return why the lab's page or workbook could not be written; the log has the details."""
    error = failure.error
    if isinstance(error, LockedFileError):
        return error.reason_with_file
    if isinstance(error, StoreError):
        raise error
    _log.error("%s: %s", name, failure.trace)
    found = f"an error while writing {name} ({failure.reason})"
    return Reason(
        f"found {found}; the tables and the cells' pages stand.", found=found,
        expected="a page that can be written",
        remedy="see cellpipe.log, and tell whoever looks after cellpipe",
    )  # fmt: skip
