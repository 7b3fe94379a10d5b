"""Worker processes that read files and compute cells in parallel.

A process that dies (out of memory, a fault in a library) costs only the item it was working on: the
others are repeated, and that item gives a :class:`WorkerDiedError`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Generic, TypeVar

from cellpipe.system.child_processes import WorkerContext

T = TypeVar("T")
R = TypeVar("R")
MAX_WORKERS = 8  # processes per machine: more would wait for its disk
_WINDOWS_WAITS_FOR = 61  # handles at most, and so processes of a pool
WORKER_BYTES = 700 << 20  # memory of a process at most, except for the largest files
SERIAL_BELOW = 12  # up to so many items are done here: starting processes takes longer
_AHEAD = 4  # items queued per process: enough to keep it busy, and memory stays flat


class WorkerDiedError(Exception):
    """The process that worked on an item ended: out of memory, or a fault in a library."""


class Workers:
    """A pool of processes, started when first needed and kept until :meth:`close`.

    Parameters
    ----------
    count
        Number of processes; 1 works in this process, where a fault in a library ends the run.

    """

    def __init__(self, count: int) -> None:
        self.count = max(1, min(count, _WINDOWS_WAITS_FOR))
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.stop()
        self.close()

    def close(self) -> None:
        """Stop the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def stop(self) -> None:
        """Kill the processes at once; what they had not finished is done by the next run."""
        processes = getattr(self._pool, "_processes", None) or {}
        for process in list(processes.values()):
            process.kill()

    def map(
        self, work: Callable[..., R], shared: object, items: Sequence[T]
    ) -> Iterator[tuple[T, R | Exception]]:
        """Yield each item with what ``work(shared, item)`` returned or raised, as they finish."""
        if self.count == 1 or (len(items) <= SERIAL_BELOW and self._pool is None):
            for item in items:
                yield item, _try_call(work, shared, item)
            return
        yield from _MapCall(self, work, shared, items).results()

    def run_one(self, work: Callable[..., R], shared: object, item: object) -> R:
        """Return what ``work(shared, item)`` returns, run in one of the processes.

        Raises
        ------
        WorkerDiedError
            If the process ended while working on it, twice.

        """
        for _ in range(2):
            pool = self.get_pool()
            try:
                return pool.submit(work, shared, item).result()
            except BrokenProcessPool:
                self.replace_pool(pool)
        raise WorkerDiedError("the process that worked on it ended, twice (out of memory?)")

    def get_pool(self) -> ProcessPoolExecutor:
        """Return the pool of processes; create it if there is none."""
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self.count, WorkerContext(), _ignore_interrupts)
            return self._pool

    def replace_pool(self, broken: ProcessPoolExecutor) -> None:
        """Discard a pool in which a process died; a new one is started when needed."""
        with self._lock:
            if self._pool is broken:
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = None


class _MapCall(Generic[T, R]):
    """The items of one call, of which a few are submitted at a time."""

    def __init__(
        self, workers: Workers, work: Callable[..., R], shared: object, items: Sequence[T]
    ) -> None:
        self.workers = workers
        self.call = (work, shared)
        self.left = list(reversed(items))
        self.in_flight: dict[Future[R], T] = {}
        self.suspects: list[T] = []  # in flight when a process died

    def results(self) -> Iterator[tuple[T, R | Exception]]:
        while self.left or self.in_flight:
            broken = not self._fill()
            if self.in_flight and not broken:
                done, _ = wait(self.in_flight, return_when=FIRST_COMPLETED)
                for future in done:
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        broken = True
                        continue
                    item = self.in_flight.pop(future)
                    yield item, error if isinstance(error, Exception) else future.result()
            if broken:
                self.suspects += self.in_flight.values()
                self.in_flight.clear()
                self.workers.replace_pool(self.workers.get_pool())
        for item in self.suspects:
            yield item, self._run_alone(item)

    def _fill(self) -> bool:
        pool = self.workers.get_pool()
        try:
            while self.left and len(self.in_flight) < self.workers.count * _AHEAD:
                item = self.left[-1]
                self.in_flight[pool.submit(self.call[0], self.call[1], item)] = item
                self.left.pop()
        except BrokenProcessPool:
            return False
        return True

    def _run_alone(self, item: T) -> R | Exception:
        """Run a suspect on its own, so that a process that dies is known to die of it."""
        try:
            return self.workers.run_one(*self.call, item)
        except Exception as error:  # returned, as the others' are
            return error


def _try_call(work: Callable[..., R], shared: object, item: object) -> R | Exception:
    try:
        return work(shared, item)
    except Exception as error:
        return error


def _ignore_interrupts() -> None:
    """Ignore Ctrl-C, which reaches every process of a terminal; the first one handles it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def exit_on_interrupt() -> None:
    """Exit this process silently at Ctrl-C; the one that started it reports the interrupt."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def default_worker_count() -> int:
    """Return how many processes this machine can use: by cores and memory, at most eight."""
    usable: Any = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, min(MAX_WORKERS, cores, free_memory() // WORKER_BYTES))


def free_memory() -> int:
    """Return the memory that processes may take now, in bytes; in a container, within its limit."""
    import psutil

    available = [int(psutil.virtual_memory().available)]
    try:
        limit, used = (
            (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
        available += [int(limit) - int(used)] if limit != "max" else []
    except (OSError, ValueError):
        pass
    return min(available)
