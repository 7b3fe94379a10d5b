"""Which files there are, which are new, and which are left alone: pure functions of a snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from cellpipe import formats
from cellpipe.core.errors import CellpipeError, Reason
from cellpipe.pipeline.bounded_reading import is_claimed
from cellpipe.store.failures import FileFailure
from cellpipe.store.lab import Lab
from cellpipe.store.layout import table_path
from cellpipe.store.manifest import result_file_names
from cellpipe.store.records import Content, SeenFile
from cellpipe.store.snapshot import LedgerSnapshot
from cellpipe.system.scan import Entry, Failure, RawFolders, is_lab_file

TABLES_VERSION = 8  # to be raised when tables or findings of all formats change: all is read again


@dataclass(frozen=True)
class NewFile:
    """A file to ingest; ``known`` are contents that it may be a copy of."""

    path: Path
    size: int = 0
    known: tuple[Content, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a run has to do: files to ingest, known ones, those that are ignored.

    ``reread`` counts the new ones that were read before, by another version of their format or in
    another time zone. ``unreachable`` names files and folders that can't be looked at now; what was
    known of them is among the known ones. ``suspended`` are those that failed three times in the
    same way and did not change. ``walk`` tells one state of the folders from another.
    ``is_partial`` says that certain files were asked for: those of them that are not there are
    gone. ``untimed`` are known files of which the ledger has no time of change yet, with it.
    """

    new: tuple[NewFile, ...]
    known: tuple[Path, ...]
    ignored: tuple[Path, ...]
    reread: int = 0
    unreachable: tuple[Failure, ...] = ()
    suspended: tuple[tuple[Path, Failure], ...] = ()
    walk: str = ""
    is_partial: bool = False
    untimed: tuple[SeenFile, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that may be a cycler's, in the order of their paths."""
        new = (file.path for file in self.new)
        paths = (*new, *self.known, *(path for path, _ in self.suspended))
        return tuple(sorted(paths, key=lambda path: path.as_posix()))


def reading_key(lab: Lab, format_name: str | None) -> str:
    """Return what a content's tables depend on besides the content.

    That is the version of its format and the time zone; for a content that no format could read,
    every format's version, for a new one may read it.
    """
    zone = f"tables {TABLES_VERSION}, time zone {lab.time_zone or 'unknown'}"
    version = _format_versions().get(format_name or "")
    return f"{_all_formats_key() if version is None else f'{format_name} {version}'}, {zone}"


@cache
def _format_versions() -> dict[str, int]:
    return {form.name: form.version for form in formats.all_formats()}


@cache
def _all_formats_key() -> str:
    described = repr(sorted(_format_versions().items()))
    return f"formats {hashlib.sha256(described.encode()).hexdigest()[:16]}"


def is_current(lab: Lab, content: Content) -> bool:
    """Return whether every table of a content is there, as its format would make it now."""
    there = (table_path(lab.results, name, content.sha256).is_file() for name in content.tables)
    return content.reading == reading_key(lab, content.format) and all(there)


def plan_all(lab: Lab, state: LedgerSnapshot) -> Plan:
    """Walk the folders and compare them with what is known; see :func:`plan_entries`."""
    entries, unreachable = lab.raw.walk()
    return plan_entries(lab, state, entries, unreachable, lab.raw.digest(entries))


def plan_entries(
    lab: Lab,
    state: LedgerSnapshot,
    entries: Sequence[Entry],
    unreachable: Sequence[Failure],
    walk: str = "",
) -> Plan:
    """Compare what a walk found with what is known.

    A file counts as known if its size and times are those it was read with, and the content's
    tables are there, made by this version of its format. (If only its time of change is another,
    its content is looked at: most often it is a known one.) Files of other kinds (no format claims
    them, and no format uses their suffix) are ignored, and so are links that lead out of the
    folder.
    """
    new: list[NewFile] = []
    known: list[Path] = []
    ignored: list[Path] = []
    suspended: list[tuple[Path, Failure]] = []
    untimed: list[SeenFile] = []
    reread = 0

    @cache  # of thousands of contents, those of the files that are asked for
    def has_current_content(sha256: str) -> bool:
        return sha256 in state.contents and is_current(lab, state.contents[sha256])

    for entry in entries:
        before, content = state.seen.get(entry.name), state.content_of(entry.name)
        same = before and entry.is_as(before.size, before.modified_ns, before.changed_ns)
        failure = state.failures.get(entry.name)
        if entry.is_external:
            ignored.append(entry.path)
        elif same and all(
            name in state.seen and has_current_content(state.seen[name].sha256)
            for name in {entry.name, *state.recording_names(entry.name)}
        ):
            known.append(entry.path)
            untimed += _with_change_time(state, entry)
        elif failure and failure.is_suspended(
            entry.size, entry.modified_ns, reading_key(lab, None)
        ):
            reason = suspension_message(failure)
            suspended.append((entry.path, Failure(entry.name, reason)))
        elif is_candidate(entry.path):
            reread += bool(same and content and content.reading != reading_key(lab, content.format))
            new.append(NewFile(entry.path, entry.size, state.contents_of_size(entry.size)))
        else:
            ignored.append(entry.path)
    lost = [*unreachable, *(lab.raw.find_empty_roots(entries, state.seen) if walk else [])]
    known += _known_out_of_reach(lab, state, entries, lost)
    return Plan(
        tuple(new), tuple(known), tuple(ignored), reread, tuple(lost), tuple(suspended), walk,
        untimed=tuple(untimed),
    )  # fmt: skip


def _with_change_time(state: LedgerSnapshot, entry: Entry) -> list[SeenFile]:
    """Return a known file, and its recordings, with its time of change if the ledger has none."""
    if entry.changed_ns is None or state.seen[entry.name].changed_ns is not None:
        return []
    names = {entry.name, *state.recording_names(entry.name)}
    return [replace(state.seen[name], changed_ns=entry.changed_ns) for name in sorted(names)]


def _known_out_of_reach(
    lab: Lab, state: LedgerSnapshot, entries: Sequence[Entry], unreachable: Sequence[Failure]
) -> list[Path]:
    """Return the known files that can't be looked at now: they are not gone."""
    there = {entry.name for entry in entries} if unreachable else set()
    return [
        lab.raw.path(name)
        for failure in unreachable
        for name in state.seen
        if name not in there and lab.raw.is_below(name, failure.path)
    ]


def plan_files(lab: Lab, state: LedgerSnapshot, paths: Sequence[Path]) -> Plan:
    """Plan for these files alone: what else is known of the folders is taken as it was."""
    wanted = {lab.relative_name(path): path for path in paths}
    wanted = {name: path for name, path in wanted.items() if not is_lab_file(name)}
    wanted |= {name: lab.raw.path(name) for name in _files_without_tables(lab, state)}
    entries, failures = lab.raw.stat_files(wanted)
    plan = plan_entries(lab, state, entries, failures)
    rest = sorted({state.recording_file(name) for name in state.seen} - wanted.keys())
    known = (*plan.known, *(lab.raw.path(name) for name in rest))
    named = {*wanted, *rest}
    failed = [
        (lab.raw.path(name), Failure(name, failure.reason))
        for name, failure in sorted(state.failures.items())
        if name not in named
    ]
    return replace(plan, known=known, suspended=(*plan.suspended, *failed), is_partial=True)


def _files_without_tables(lab: Lab, state: LedgerSnapshot) -> set[str]:
    """Name the files whose tables are not all there (removed, or damaged and put aside)."""
    there = set(result_file_names(lab.results))
    lost = {
        content.sha256
        for content in state.contents.values()
        if not there.issuperset(f"tables/{t}/{content.sha256}.parquet" for t in content.tables)
    }
    return {state.recording_file(name) for name, f in state.seen.items() if f.sha256 in lost}


def find_candidates(folder: Path) -> list[str]:
    """Name the files below a folder that may be a cycler's."""
    entries, _ = RawFolders(folder, (), ()).walk()
    paths = [entry.path for entry in entries if not is_lab_file(entry.path.name)]
    return [path.name for path in paths if is_candidate(path)]


def is_candidate(path: Path) -> bool:
    """Return whether a file may be a cycler's: by a suffix that a format uses, or its content."""
    if formats.has_known_suffix(path.name):
        return True
    if formats.has_foreign_suffix(path.name):
        return False
    try:
        return is_claimed(path)
    except (CellpipeError, OSError):
        return False


def suspension_message(failure: FileFailure) -> Reason:
    """Say why a file is left alone, and until when."""
    text = (
        f"{failure.reason.rstrip('.')}: {failure.attempts} times in a row, so it rests until it "
        "changes, cellpipe is renewed, or cellpipe retry names it."
    )
    return Reason(
        text, found=failure.reason.parts["found"], expected=failure.reason.expected,
        remedy="it rests until it changes; cellpipe retry lets it be tried again",
    )  # fmt: skip
