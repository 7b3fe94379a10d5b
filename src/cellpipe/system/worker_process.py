"""One worker process, seen from the one that started it: calls, and the watch over its bounds."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import psutil

from cellpipe.system.child_processes import start_worker
from cellpipe.system.worker import Answer, Request, encode, read_message, write_message

R = TypeVar("R")
_START = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import sys; sys.path[:] = {path}"
    "; from cellpipe.system.child_processes import die_with; die_with({parent})"
    "; from cellpipe.system.worker import serve; serve()"
)
LEAST_BYTES = 2 << 30  # of memory that work may take where nothing else is said
_SHARE = 0.8  # of the memory that is free, for work that may take all
_WARM_BYTES = 500 << 20  # one that holds more after its work is not kept
_LOOK_SECONDS = 0.03
_HEAD, _TAIL = 20_000, 2000  # bytes of what a process wrote in a call, first and last
_CAUSE = re.compile(
    r"memory allocation of|panicked at|^Fatal Python error|\bError\b.*:", re.IGNORECASE
)
_NO_CAUSE = re.compile(
    r"note: |stack backtrace|\s+\d+: |\s+at |\s+File |Traceback |Current thread|Thread 0x"
    r"|Extension modules|\s*<no Python frame>|RUST_BACKTRACE|_start$"
)
_SIGNALS = {
    "SIGABRT": "the library that reads such files gave up",
    "SIGSEGV": "the library that reads such files failed",
    "SIGBUS": "the library that reads such files failed",
    "SIGILL": "the library that reads such files failed",
    "SIGFPE": "the library that reads such files failed",
    "SIGKILL": "it was ended from outside, perhaps because memory was short",
}
_NUMBER = re.compile(r"(?<![\w.])\d{5,}(?![\w.])")


@dataclass(frozen=True)
class Bound:
    """What work may take: bytes of memory of the whole process, and seconds; None: the machine's.

    Even then it is ended before the machine has no memory left.
    """

    memory: int | None = None
    seconds: float | None = None

    def memory_limit(self) -> int:
        """Return the bytes that it may take on this machine now."""
        if self.memory is not None and self.memory <= LEAST_BYTES:
            return self.memory
        room = max(LEAST_BYTES, int(_SHARE * free_memory()))
        return room if self.memory is None else min(self.memory, room)


class WorkerDiedError(Exception):
    """The process that worked on an item ended, or was ended; the text says of what.

    ``is_bound``: it was ended because it took more than it may.
    """

    def __init__(self, how: str, *, is_bound: bool = False) -> None:
        super().__init__(how)
        self.is_bound = is_bound


@dataclass(eq=False)
class _Watched:
    worker: WorkerProcess
    memory: int
    seconds: float | None
    begin: float = field(default_factory=time.monotonic)


class WorkerProcess:
    """A process that does one call after the other; it starts while this one goes on."""

    def __init__(self) -> None:
        self.ended_because = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        code = _START.format(path=repr([*filter(None, sys.path)]), parent=os.getpid())
        env = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
        self._process = start_worker(code, env, self._errors)
        self.surroundings = surroundings()
        self._pid: int | None = None  # its own: on Windows a launcher may stand between
        self._answers_due = 0
        self._said = 0  # bytes of messages of earlier calls

    def preload(self, module: str) -> None:
        """Let it import a module beforehand; the next call waits for that."""
        with contextlib.suppress(OSError):
            self._send(Request(importlib.import_module, (module,), LEAST_BYTES))
            self._answers_due += 1

    def call(self, work: Callable[..., R], arguments: tuple[object, ...], bound: Bound) -> R:
        """Return what ``work(*arguments)`` returned there, or raise what it raised.

        Raises
        ------
        WorkerDiedError
            If the process ended, or took more than it may and was ended.

        """
        limit = bound.memory_limit()
        self._said = self._written()
        try:
            if self._pid is None:
                self._pid = int(read_message(self._stream("stdout")))
            while self._answers_due:
                read_message(self._stream("stdout"))
                self._answers_due -= 1
            with _watch.watch(self, limit, bound.seconds):
                self._send(Request(work, arguments, limit))
                answer: Answer = read_message(self._stream("stdout"))
        except (OSError, EOFError) as error:
            raise self._death() from error
        if isinstance(answer.error, MemoryError):
            raise WorkerDiedError(_too_much(limit), is_bound=True) from answer.error
        if answer.error is not None:
            raise answer.error
        return cast("R", answer.value)

    def is_usable(self) -> bool:
        """Return whether it lives, and holds no more memory than is good for an idle process."""
        return self._process.poll() is None and self.memory() < _WARM_BYTES

    def memory(self) -> int:
        """Return how many bytes of memory it has; 0 if it is not there any more."""
        try:
            info = psutil.Process(self._pid or self._process.pid).memory_info()
        except psutil.Error:
            return 0
        return max(info.rss, getattr(info, "private", 0))  # Windows may have moved some out

    def end(self, because: str) -> None:
        """Kill it, for a reason that the call which it is busy with gives."""
        self.ended_because = because
        self._kill()

    def close(self) -> None:
        """Kill it and wait until it is gone."""
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                cast("Any", stream).close()

    def _kill(self) -> None:
        if self._pid not in {None, self._process.pid}:
            with contextlib.suppress(psutil.Error):
                psutil.Process(self._pid).kill()
        self._process.kill()

    def _send(self, request: Request) -> None:
        write_message(self._stream("stdin"), encode(request))

    def _stream(self, name: str) -> Any:
        return getattr(self._process, name)

    def _death(self) -> WorkerDiedError:
        """Say why the process ended: by a bound, or by itself with what it last wrote."""
        try:
            code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            code = 0
        if self.ended_because:
            return WorkerDiedError(self.ended_because, is_bound=True)
        last = self._last_words()
        how = last if _CAUSE.search(last) else f"{_end_name(code)}: {last}".rstrip(": ")
        return WorkerDiedError(f"ended the process that did it ({how})")

    def _written(self) -> int:
        """Return how many bytes it wrote; it shares the place in the file, which stays as it is."""
        try:
            return os.fstat(self._errors.fileno()).st_size
        except (OSError, ValueError):
            return 0

    def _last_words(self) -> str:
        """Return what it last wrote of its end, without what no terminal should see."""
        with contextlib.suppress(OSError, ValueError):
            begin, size = self._said, self._written()
            self._errors.seek(begin)
            head = self._errors.read(min(_HEAD, size - begin))
            self._errors.seek(max(begin + len(head), size - _TAIL))
            text = (head + b"\n" + self._errors.read()).decode("utf-8", "replace")
            return _cause("".join(c for c in line if c.isprintable()) for line in text.splitlines())
        return ""


def _cause(lines: Iterable[str]) -> str:
    """Return the line that says why a process ended: known words, else the last of its own.

    Left out are the lists of calls that Rust and Python write, and hints to programmers.
    """
    said = [line.strip() for line in lines if line.strip() and not _NO_CAUSE.match(line)]
    known = [line for line in said if _CAUSE.search(line)]
    line = (known or said or [""])[-1]
    return _NUMBER.sub(lambda match: f"{int(match[0]):,}", line)[:160]


def _end_name(code: int) -> str:
    """Return what an exit code stands for in words, with the signal's name or the number."""
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            return f"{_SIGNALS.get(name, 'the system ended it')}, {name}"
    return f"exit code {code:#x}" if code > 255 else f"exit code {code}"


def surroundings() -> tuple[object, ...]:
    """Return what a process takes over from the one that starts it."""
    return os.getpid(), Path.cwd(), dict(os.environ), list(sys.path)


class _Watch:
    """A thread that ends processes which take more memory or time than they may."""

    def __init__(self) -> None:
        self._watched: set[_Watched] = set()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, worker: WorkerProcess, memory: int, seconds: float | None) -> Iterator[None]:
        one = _Watched(worker, memory, seconds)
        with self._change:
            self._watched.add(one)
            if self._thread is None or not self._thread.is_alive():  # none lives after a fork
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()
            self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._watched.discard(one)

    def _look(self) -> None:
        while True:
            with self._change:
                while not self._watched:
                    self._change.wait()
                for one in self._watched:
                    _end_if_beyond(one)
            time.sleep(_LOOK_SECONDS)


def _end_if_beyond(one: _Watched) -> None:
    if one.worker.ended_because:
        return
    if one.seconds is not None and time.monotonic() - one.begin > one.seconds:
        one.worker.end(f"took longer than {one.seconds:.0f} s and was ended")
    elif one.worker.memory() > one.memory:
        one.worker.end(_too_much(one.memory))


def _too_much(memory: int) -> str:
    return f"took more than {memory / 1e9:.1f} GB of memory and was ended"


_watch = _Watch()


def free_memory() -> int:
    """Return the memory that processes may take now, in bytes; in a container, within its limit."""
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
