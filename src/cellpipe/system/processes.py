"""Processes that read files and compute cells beside each other.

One that dies (out of memory, a fault in a library) takes nothing with it but the item it was at:
the others are done again, and that item gives a :class:`WorkerDiedError`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MAX_WORKERS = 8  # processes of one machine: more would wait for its disk
_WINDOWS_WAITS_FOR = 61  # handles, and so processes of a pool, at most
WORKER_BYTES = 700 << 20  # what a process takes at most, but for the largest files
SERIAL_BELOW = 12  # so many items are done here: starting processes would take longer
_AHEAD = 4  # items that wait for each process: enough to keep it busy, and memory stays flat


class WorkerDiedError(Exception):
    """The process that worked on an item ended: out of memory, or a fault in a library."""


class Workers:
    """So many processes, started when they are first needed and kept until :meth:`close`.

    Parameters
    ----------
    count
        How many; 1 works in this process, where a fault in a library ends the run.

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
        """End the processes at once; what they had not finished is done by the next run."""
        processes = getattr(self._pool, "_processes", None) or {}
        for process in list(processes.values()):
            process.kill()

    def map(
        self, work: Callable[..., R], shared: object, items: Sequence[T]
    ) -> Iterator[tuple[T, R | Exception]]:
        """Return each item with what ``work(shared, item)`` gave or raised, as they are done."""
        if self.count == 1 or (len(items) <= SERIAL_BELOW and self._pool is None):
            for item in items:
                yield item, _try_call(work, shared, item)
            return
        yield from _MapCall(self, work, shared, items).results()

    def run_one(self, work: Callable[..., R], shared: object, item: object) -> R:
        """Return what ``work(shared, item)`` gives, in one of the processes.

        Raises
        ------
        WorkerDiedError
            If the process ended over it, twice.

        """
        for _ in range(2):
            pool = self.get_pool()
            try:
                return pool.submit(work, shared, item).result()
            except BrokenProcessPool:
                self.replace_pool(pool)
        raise WorkerDiedError("the process that worked on it ended, twice (out of memory?)")

    def get_pool(self) -> ProcessPoolExecutor:
        """Return the processes."""
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(self.count, context, _ignore_interrupts)
            return self._pool

    def replace_pool(self, broken: ProcessPoolExecutor) -> None:
        """Drop processes of which one died; new ones are started when they are needed."""
        with self._lock:
            if self._pool is broken:
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = None


class _MapCall(Generic[T, R]):
    """The items of one call, of which a few are on their way at a time."""

    def __init__(
        self, workers: Workers, work: Callable[..., R], shared: object, items: Sequence[T]
    ) -> None:
        self.workers = workers
        self.call = (work, shared)
        self.left = list(reversed(items))
        self.in_flight: dict[Future[R], T] = {}
        self.suspects: list[T] = []  # on their way when a process died

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
        """Work on a suspect with nothing beside it, so that a death is known to be its doing."""
        try:
            return self.workers.run_one(*self.call, item)
        except Exception as error:  # as the others' are given
            return error


def _try_call(work: Callable[..., R], shared: object, item: object) -> R | Exception:
    try:
        return work(shared, item)
    except Exception as error:
        return error


def exit_with_parent() -> None:
    """End this process when the one that started it ends, however that comes."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _ignore_interrupts() -> None:
    """Let Ctrl-C, which reaches every process of a terminal, be dealt with by the first one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()


def exit_on_interrupt() -> None:
    """End this process at Ctrl-C, without a word; the one that started it says what is to say."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    exit_with_parent()


def call_on_stdin_close(then: Callable[[], object]) -> None:
    """Do something when whoever started this process, and holds its input open, is gone.

    The input is read from a copy, and nothing is put in its place: on Windows a process that is
    started with an input at which another one waits would wait for it, too.
    """
    held = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def wait_and_do() -> None:
        while os.read(held, 4096):
            pass
        then()

    threading.Thread(target=wait_and_do, daemon=True).start()


def default_worker_count() -> int:
    """Return how many processes a machine can use: by cores and by memory, at most eight."""
    usable: Any = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, min(MAX_WORKERS, cores, free_memory() // WORKER_BYTES))


def free_memory() -> int:
    """Return how many bytes of memory processes may take now, in a container those it allows."""
    import psutil

    found = [int(psutil.virtual_memory().available)]
    try:
        limit, used = (
            (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
        found += [int(limit) - int(used)] if limit != "max" else []
    except (OSError, ValueError):
        pass
    return min(found)
