"""Which files of the folders changed, found at little cost, by events where there are any.

Three nets, from fine to coarse: files that were told of or changed lately are looked at each time;
so is each folder's own time, which a new, renamed or deleted file moves; and now and then
everything is walked, which finds what the first two can't (a file of long ago that was written
into without an event). Each net is cast no more often than one per cent of a core allows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cellpipe.system.scan import (
    LAB_NAMES,
    Entry,
    Failure,
    FolderEntry,
    RawFolders,
    is_finished,
    is_lab_file,
)

State = tuple[int, int, int | None]  # size, and the times of modification and of change
_WARM_SECONDS = 900.0  # so long a file that changed is looked at each time
_MOST_WARM = 2_000
_LOOK_SHARE = 200.0  # a look at the folders comes after so many times what the last one took
_WALK_SHARE = 400.0
_BUSY_SHARE = 4.0  # while files arrive
_AGAIN = 3  # times that a folder is listed after a change: its time may be coarse


@dataclass(frozen=True)
class Changes:
    """Files that are new or other than before, those that are gone, and what is out of reach."""

    files: tuple[Entry, ...] = ()
    gone: tuple[str, ...] = ()
    unreachable: tuple[Failure, ...] = ()


class Tracker:
    """The state of the folders' files as last seen.

    Parameters
    ----------
    raw
        The folders.
    known
        Files with the state in which they were dealt with.
    poll_seconds
        How often to look, at most.
    clock
        Seconds that never go back; the clock of the day may jump.

    """

    def __init__(
        self,
        raw: RawFolders,
        known: Mapping[str, State],
        *,
        poll_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.raw = raw
        self.files: dict[str, State] = dict(known)
        self._folders: dict[str, tuple[FolderEntry, int | None]] = {}
        self._again: dict[str, int] = {}
        self._warm: dict[str, float] = {}
        self._sheet_names = set(LAB_NAMES)
        self._clock = clock
        self._poll = poll_seconds
        self._next_walk = self._next_look = 0.0

    def find_changes(self, hints: Iterable[str] = ()) -> Changes:
        """Look for changes; ``hints`` are paths that the system reported."""
        now = self._clock()
        if now >= self._next_walk:
            changes = self._walk_all()
            ended = self._clock()
            self._next_walk = ended + max(60.0, _WALK_SHARE * (ended - now))
            return changes
        found: dict[str, Entry | None] = {}
        failures: list[Failure] = []
        self._check_hints(hints, found)
        if now >= self._next_look:
            self._check_folders(found, failures)
            self._check_recent_files(now, found)
            ended = self._clock()
            share = _BUSY_SHARE if found or self._again else _LOOK_SHARE
            self._next_look = ended + max(self._poll, share * (ended - now))
        return self._apply_changes(found, failures)

    def schedule_walk(self) -> None:
        """Walk everything next time."""
        self._next_walk = 0.0

    def _walk_all(self) -> Changes:
        found: list[Entry] = []
        failures: list[Failure] = []
        self._folders.clear()
        for prefix, root in self.raw.roots.items():
            waiting = [FolderEntry(prefix, str(root))]
            here: list[Entry] = []
            while waiting:
                listing = waiting.pop()
                self._folders[listing.prefix] = (listing, _modified_ns(listing.place))
                waiting += self.raw.list_folder(listing, here, failures)
            known = (
                name
                for name in self.files
                if not is_lab_file(name) and self.raw.root_prefix(name) == prefix
            )
            if not here and any(known):
                failures.append(self._empty_folder_failure(prefix))
            found += here
        found += self._stat_lab_files()
        there = {entry.name for entry in found}
        away = tuple("" if f.path == "." else f"{f.path}/" for f in failures)
        gone = [
            name for name in self.files if name not in there and not f"{name}/".startswith(away)
        ]
        return self._apply_changes({e.name: e for e in found} | dict.fromkeys(gone), failures)

    @staticmethod
    def _empty_folder_failure(prefix: str) -> Failure:
        """Say that a folder is empty: where a share was mounted, such a one is left."""
        return Failure(prefix.rstrip("/") or ".", "it is empty all at once")

    def _stat_lab_files(self) -> list[Entry]:
        try:
            there = [p.name for p in self.raw.path("").iterdir() if is_lab_file(p.name)]
        except OSError:
            return []
        self._sheet_names = {*LAB_NAMES, *there}
        return self.raw.stat_files({name: self.raw.path(name) for name in there})[0]

    def _check_hints(self, hints: Iterable[str], found: dict[str, Entry | None]) -> None:
        for hint in hints:
            path = Path(hint)
            try:
                name = self.raw.relative_name(path)
            except ValueError:
                continue
            folder = f"{name.rpartition('/')[0]}/".lstrip("/")
            if folder not in self._folders or name + "/" in self._folders or path.is_dir():
                self._again[self._nearest_prefix(folder)] = _AGAIN
                self._next_look = 0.0
            elif is_finished(path.name):
                self._check_file(name, found)

    def _nearest_prefix(self, folder: str) -> str:
        """Return the prefix of the nearest folder above that is known."""
        while folder and folder not in self._folders:
            folder = f"{folder.rstrip('/').rpartition('/')[0]}/".lstrip("/")
        return folder

    def _check_file(self, name: str, found: dict[str, Entry | None]) -> None:
        entries, failures = self.raw.stat_files({name: self.raw.path(name)})
        if entries:
            found[name] = entries[0]
        elif not failures and name in self.files:
            found[name] = None

    def _check_folders(self, found: dict[str, Entry | None], failures: list[Failure]) -> None:
        for prefix, (listing, before) in list(self._folders.items()):
            modified = _modified_ns(listing.place)
            if modified != before:
                self._again[prefix] = _AGAIN
            if self._again.get(prefix, 0) > 0:
                self._again[prefix] -= 1
                self._list_folder(listing, modified, found, failures)
        self._again = {prefix: left for prefix, left in self._again.items() if left}

    def _list_folder(
        self,
        listing: FolderEntry,
        modified: int | None,
        found: dict[str, Entry | None],
        failures: list[Failure],
    ) -> None:
        """List a folder whose time moved, and folders in it that are new."""
        here: list[Entry] = []
        missed: list[Failure] = []
        below = self.raw.list_folder(listing, here, missed)
        self._folders[listing.prefix] = (listing, modified)
        if listing.prefix in self.raw.roots and not (here or below or missed):
            missed.append(self._empty_folder_failure(listing.prefix))
        failures += missed
        found.update({entry.name: entry for entry in here})
        for one in below:
            if one.prefix not in self._folders:
                self._list_folder(one, _modified_ns(one.place), found, failures)
        if missed:
            return
        prefixes = {one.prefix for one in below}
        there = {entry.name for entry in here}
        length = len(listing.prefix)
        root = self.raw.root_prefix(listing.prefix)
        for name in self.files:
            inside = name.startswith(listing.prefix) and not is_lab_file(name)
            direct, _, deeper = name[length:].partition("/") if inside else ("", "", "")
            lost = f"{listing.prefix}{direct}/" not in prefixes if deeper else name not in there
            if inside and lost and self.raw.root_prefix(name) == root:
                found[name] = None
        for prefix in [p for p in self._folders if p.startswith(listing.prefix) and p]:
            top = f"{listing.prefix}{prefix[length:].partition('/')[0]}/"
            if prefix != listing.prefix and top not in prefixes and prefix not in self.raw.roots:
                self._folders.pop(prefix)

    def _check_recent_files(self, now: float, found: dict[str, Entry | None]) -> None:
        for name in {*self._warm, *self._sheet_names}:
            self._check_file(name, found)
        self._warm = {name: end for name, end in self._warm.items() if end > now}

    def _apply_changes(
        self, found: Mapping[str, Entry | None], failures: Iterable[Failure]
    ) -> Changes:
        changed, gone = [], []
        end = self._clock() + _WARM_SECONDS
        for name, entry in found.items():
            if entry is None:
                if self.files.pop(name, None) is not None:
                    gone.append(name)
                    self._warm.pop(name, None)
            elif not entry.is_external:
                before = self.files.get(name)
                self.files[name] = (entry.size, entry.modified_ns, entry.changed_ns)
                if before is None or not entry.is_as(*before):
                    changed.append(entry)
                    self._warm[name] = end
        while len(self._warm) > _MOST_WARM:
            self._warm.pop(next(iter(self._warm)))
        return Changes(tuple(changed), tuple(gone), tuple(failures))


def _modified_ns(place: str) -> int | None:
    try:
        return os.stat(place).st_mtime_ns  # noqa: PTH116 - thousands of folders each time
    except OSError:
        return None
