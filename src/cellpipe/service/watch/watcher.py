"""Watching one lab's folders: what arrives is settled, queued, and handed on in batches."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cellpipe.core.errors import CellpipeError, ServerError
from cellpipe.service.watch.batch_runner import BatchRunner, BatchTask
from cellpipe.service.watch.stability import StabilityTracker, WaitTimes
from cellpipe.service.watch.tracker import State, Tracker
from cellpipe.store.batch_queue import QueuedFile, assign_batch, enqueue, queued_files
from cellpipe.store.failures import MAX_ATTEMPTS
from cellpipe.store.lab import Lab
from cellpipe.system.scan import Entry, Failure

BATCH = 500  # files at most
_FIRST_RETRY = 30.0
_LAST_RETRY = 3600.0
_log = logging.getLogger("cellpipe")


@dataclass
class _Retry:
    after: float
    pause: float = _FIRST_RETRY


@dataclass
class Watcher:
    """Watches a lab. :meth:`tick` does what is due and never waits."""

    lab: Lab
    runner: BatchRunner
    wait_times: WaitTimes = field(default_factory=WaitTimes)
    poll_seconds: float = 1.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Begin with what the ledger knows, and with batches that were left by an earlier watch."""
        self.ledger = self.lab.ledger
        known = _ledger_states(self.lab)
        self.tracker = Tracker(
            self.lab.raw, known, poll_seconds=self.poll_seconds, clock=self.clock
        )  # fmt: skip
        self.settling = StabilityTracker(self.wait_times, clock=self.clock)
        self._running: tuple[str, str] | None = None  # batch, and the runner's name for it
        self._retries: dict[str, _Retry] = {}
        self._attempt = 0
        self._hand_retry = _Retry(0.0, 1.0)
        self._away = False

    def tick(self, hints: Iterable[str] = ()) -> None:
        """Look at the folders, put what is ready in the queue, and hand a batch on if none runs."""
        changes = self.tracker.find_changes(hints)
        self._log_reachability(bool(changes.unreachable), changes.unreachable)
        self.settling.mark_changed(changes.files)
        self.settling.mark_gone(changes.gone)
        ready = self.settling.pop_ready()
        for entry in ready:
            self._retries.pop(entry.name, None)
        try:
            enqueue(self.ledger.database, [_queue_item(entry) for entry in ready])
        except BaseException:  # the ledger can't be reached: they become ready again later
            self.settling.mark_changed(entry for entry in ready if entry.size >= 0)
            self.settling.mark_gone(entry.name for entry in ready if entry.size < 0)
            raise
        if self._running is not None:
            self._check_batch(*self._running)
        if self._running is None and self.clock() >= self._hand_retry.after:
            self._start_batch()

    def is_idle(self) -> bool:
        """Return whether nothing waits and nothing runs."""
        waits = len(self.settling) or self._running or queued_files(self.ledger.database)
        return not waits

    def next_delay(self) -> float:
        """Return after how many seconds the next tick has something to do."""
        if self._running is not None:
            return 0.2
        return min(self.poll_seconds, self.settling.next_delay() or self.poll_seconds)

    def _log_reachability(self, away: bool, failures: Iterable[Failure]) -> None:
        if away != self._away:
            self._away = away
            what = "; ".join(f"{failure.path}: {failure.reason}" for failure in failures)
            _log.warning("%s %s", self.lab.folder, what if away else "can be reached again")

    def _start_batch(self) -> None:
        now = self.clock()
        waiting = [
            file
            for file in queued_files(self.ledger.database)
            if file.path not in self._retries or self._retries[file.path].after <= now
        ]
        waiting = _choose_files(waiting)
        if not waiting:
            return
        batch = next((file.batch for file in waiting if file.batch), None)
        if batch is None or self._attempt:
            again = f"-{self._attempt}" if self._attempt else ""
            batch = f"{uuid.uuid4().hex[:12]}{again}"
            assign_batch(self.ledger.database, batch, [file.path for file in waiting])
        task = BatchTask(self.lab, batch)
        try:
            self._running = (batch, self.runner.start(task))
        except (ServerError, OSError) as error:
            self._back_off(str(error))
            return
        self._hand_retry = _Retry(0.0, 1.0)
        _log.info("batch %s: %d files", batch, len(waiting))

    def _back_off(self, reason: str) -> None:
        retry = self._hand_retry
        _log.warning("%s; again in %.0f s", reason, retry.pause)
        self._hand_retry = _Retry(self.clock() + retry.pause, min(60.0, 2 * retry.pause))

    def _check_batch(self, batch: str, name: str) -> None:
        state, message = self.runner.state(name)
        if state == "running":
            return
        self._running = None
        if state == "done" and queued_files(self.ledger.database, batch):
            state, message = "died", message or "its files are still in the queue"
        if state == "died":
            self._attempt += 1
            self._back_off(f"batch {batch} died ({message})")
            return
        self._attempt = 0
        _log.info("batch %s: %s", batch, message)
        self._requeue_failed()

    def _requeue_failed(self) -> None:
        """Queue files anew that could not be read for a reason that may pass."""
        known = self.ledger.file_failures()
        now = self.clock()
        again = []
        for name, fault in known.items():
            if name not in self.tracker.files or (fault.reading and fault.attempts >= MAX_ATTEMPTS):
                continue
            before = self._retries.get(name)
            pause = min(_LAST_RETRY, 2 * before.pause) if before else _FIRST_RETRY
            if before is None or before.after <= now:
                self._retries[name] = _Retry(now + pause, pause)
                size, modified, _ = self.tracker.files[name]
                again.append(QueuedFile(name, size, modified))
        self._retries = {n: retry for n, retry in self._retries.items() if n in known}
        enqueue(self.ledger.database, again)


def _ledger_states(lab: Lab) -> dict[str, State]:
    """Return the size and times with which each file was ingested; parts of files are none."""
    state = lab.ledger.snapshot(lab.folder)
    files = (f for f in state.seen.values() if state.recording_file(f.path) == f.path)
    return {f.path: (f.size, f.modified_ns, f.changed_ns) for f in files}


def _choose_files(waiting: list[QueuedFile]) -> list[QueuedFile]:
    """Return the files of the next batch, in order of paths.

    Of more than a batch holds, one half are those that have waited longest and the other those that
    came last: a file that is dropped behind thousands comes with the next batch.
    """
    if len(waiting) <= BATCH:
        return waiting
    by_age = sorted(waiting, key=lambda file: (file.since, file.path))
    chosen = [*by_age[: BATCH // 2], *by_age[-(BATCH - BATCH // 2) :]]
    return sorted(chosen, key=lambda file: file.path)


def _queue_item(entry: Entry) -> QueuedFile:
    return QueuedFile(entry.name, entry.size, entry.modified_ns)


def find_stable_files(lab: Lab, patience: WaitTimes) -> list[str]:
    """Look once at a lab's folders; name what is new, changed or gone, when it has settled."""
    tracker = Tracker(lab.raw, _ledger_states(lab))
    first = tracker.find_changes()
    settling = StabilityTracker(patience)
    settling.mark_changed(first.files)
    settling.mark_gone(first.gone)
    names: list[str] = []
    deadline = time.monotonic() + patience.incomplete + 2 * patience.settle
    while len(settling) and time.monotonic() < deadline:
        time.sleep(settling.next_delay() or 0.0)
        tracker.schedule_walk()
        settling.mark_changed(tracker.find_changes().files)
        names += [entry.name for entry in settling.pop_ready()]
    return names


def watch_labs(
    watchers: Iterable[Watcher],
    is_over: Callable[[], bool],
    *,
    wait: Callable[[float], bool],
    hints: Callable[[], set[str]],
) -> None:
    """Tick every watcher until it is over; one that fails does not stop the others."""
    watchers = list(watchers)
    pauses = dict.fromkeys(range(len(watchers)), 0.0)
    while not is_over():
        told = hints()
        for number, watcher in enumerate(watchers):
            if watcher.clock() < pauses[number]:
                continue
            try:
                watcher.tick(told)
            except CellpipeError as error:
                _log.warning("%s", error)
                pauses[number] = watcher.clock() + 5.0
            except Exception:  # an error of the program must not end the watch
                _log.exception("watching %s", watcher.lab.folder)
                pauses[number] = watcher.clock() + 30.0
        wait(min(watcher.next_delay() for watcher in watchers))
