"""When a file is ready: it has stopped growing, is as long as its format says, and opens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cellpipe.formats import has_foreign_suffix, is_complete
from cellpipe.system.scan import Entry, is_lab_file

_LOOK_SECONDS = 1.0  # between two looks at a file that seems to be cut


@dataclass(frozen=True)
class WaitTimes:
    """How long to wait, in seconds.

    ``settle`` for a file that is no longer written to; ``incomplete`` for one that is not as long
    as its format says, or can't be opened; ``growing`` between two looks at the file of a running
    test, which never stops growing; ``gone`` before a file that vanished counts as gone: it may
    come back under another name.
    """

    settle: float = 1.0
    incomplete: float = 30.0
    growing: float = 3600.0
    gone: float = 5.0


@dataclass
class _PendingFile:
    entry: Entry
    since: float  # when it last changed
    first: float  # when it was first seen to change
    is_complete: bool = False
    checked_at: float = float("-inf")  # when its format was last asked whether it is whole


class StabilityTracker:
    """The files that changed and are not ready yet."""

    def __init__(self, patience: WaitTimes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.wait_times = patience
        self._clock = clock
        self._waiting: dict[str, _PendingFile] = {}
        self._gone: dict[str, float] = {}

    def __len__(self) -> int:
        """Return the number of files that wait; an empty one waits for nothing but bytes."""
        return sum(one.entry.size > 0 for one in self._waiting.values()) + len(self._gone)

    def mark_changed(self, entries: Iterable[Entry]) -> None:
        """Note files that are other than before."""
        now = self._clock()
        for entry in entries:
            self._gone.pop(entry.name, None)
            if has_foreign_suffix(entry.name) and not is_lab_file(entry.name):
                continue
            before = self._waiting.get(entry.name)
            first = before.first if before else now
            self._waiting[entry.name] = _PendingFile(entry, now, first)

    def mark_gone(self, names: Iterable[str]) -> None:
        """Note files that are there no more."""
        now = self._clock()
        for name in names:
            self._waiting.pop(name, None)
            if not has_foreign_suffix(name) or is_lab_file(name):
                self._gone[name] = now

    def pop_ready(self) -> list[Entry]:
        """Return the files that are ready now, each once; one that is gone has no size."""
        now = self._clock()
        found = [one.entry for one in self._waiting.values() if self._is_ready(one, now)]
        for entry in found:
            del self._waiting[entry.name]
        patience = 0.9 * self.wait_times.settle if found else self.wait_times.gone  # it was renamed
        gone = [name for name, at in self._gone.items() if now - at >= patience]
        for name in gone:
            del self._gone[name]
        return [*found, *(Entry(name, "", -1, 0) for name in gone)]

    def next_delay(self) -> float | None:
        """Return after how many seconds a file may be ready, or None if none waits."""
        now = self._clock()
        sized = [one for one in self._waiting.values() if one.entry.size]
        ends = [
            max(one.since + self.wait_times.settle, one.checked_at + _LOOK_SECONDS) for one in sized
        ]
        ends += [at + self.wait_times.gone for at in self._gone.values()]
        return max(0.05, min(ends) - now) if ends else None

    def _is_ready(self, one: _PendingFile, now: float) -> bool:
        if now - one.first >= self.wait_times.growing and one.entry.size:
            return True  # the file of a running test: read as it is now
        still = now - one.since
        if still < self.wait_times.settle or not one.entry.size:
            return False
        if not one.is_complete and now - one.checked_at >= _LOOK_SECONDS:
            one.checked_at = now
            one.is_complete = _is_file_complete(one.entry)
        return one.is_complete or still >= self.wait_times.incomplete


def _is_file_complete(entry: Entry) -> bool:
    try:
        return is_complete(entry.path)
    except OSError:
        return False
