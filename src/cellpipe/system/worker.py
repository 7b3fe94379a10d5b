"""The process that does work which may end it: reading files that anybody made, and computing.

It is a Python of its own that never imports the program which started it, so that scripts need no
``if __name__ == "__main__":``. Requests come in through standard input and answers go out through
standard output, each as its length and a pickle: both ends are this program.
"""

from __future__ import annotations

import contextlib
import os
import queue
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any, BinaryIO, NamedTuple

_LENGTH = struct.Struct("<Q")
_ADDRESS_SLACK = 2 << 30  # address space that threads and allocators reserve and never use


class Request(NamedTuple):
    """What is to be called with what, and how many bytes of memory it may take in all."""

    work: Callable[..., Any]
    arguments: tuple[object, ...]
    memory: int


class Answer(NamedTuple):
    """What a call returned, or the exception that it raised."""

    value: Any = None
    error: Exception | None = None


def encode(message: object) -> bytes:
    """Return a message as bytes.

    Raises
    ------
    Exception
        If it can't be pickled.

    """
    return bytes(ForkingPickler.dumps(message))


def write_message(stream: BinaryIO, encoded: bytes) -> None:
    """Write an encoded message."""
    stream.write(_LENGTH.pack(len(encoded)))
    stream.write(encoded)
    stream.flush()


def read_message(stream: BinaryIO) -> Any:
    """Read a message.

    Raises
    ------
    EOFError
        If the other end is gone.

    """
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    return ForkingPickler.loads(_read_exactly(stream, length))


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("the other end is gone")
    return content


def serve() -> None:
    """Do what is asked for until the process that started this one closes its end, or is gone."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null_device = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_device, 0)
    os.close(null_device)
    os.dup2(2, 1)  # what a library prints is no answer
    _prefer_for_ending()
    write_message(answers, encode(os.getpid()))
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    while True:
        write_message(answers, _encode_answer(_do(waiting.get())))


def _receive(requests: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on; end this process, whatever it does, when nobody waits for it any more."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            (length,) = _LENGTH.unpack(_read_exactly(requests, _LENGTH.size))
            waiting.put(_read_exactly(requests, length))
    os._exit(1)


def _do(encoded: bytes) -> Answer:
    try:
        request: Request = ForkingPickler.loads(encoded)
        _bound_address_space(request.memory)
        return Answer(request.work(*request.arguments))
    except Exception as error:
        error.add_note(f"In the process that did it:\n{traceback.format_exc()}")
        return Answer(error=error)
    except BaseException as error:  # a library's panic is no reason to end
        return Answer(error=RuntimeError(f"{type(error).__name__}: {error}"))


def _encode_answer(answer: Answer) -> bytes:
    try:
        encoded = encode(answer)
        if answer.error is not None:
            ForkingPickler.loads(encoded)  # some can be written and not be read
    except Exception as error:
        what = answer.error or error
        return encode(Answer(error=RuntimeError(f"{type(what).__name__}: {what}")))
    return encoded


def _bound_address_space(memory: int) -> None:
    """Let a single giant allocation fail at once, where the system counts address space."""
    if sys.platform == "linux":
        import resource

        with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123 - before each call
            used = int(stream.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + memory + _ADDRESS_SLACK
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _prefer_for_ending() -> None:
    """Ask Linux to end this process first where memory is short, not the one that must survive."""
    if sys.platform == "linux":
        with (
            contextlib.suppress(OSError),
            open("/proc/self/oom_score_adj", "w", encoding="ascii") as stream,  # noqa: PTH123
        ):
            stream.write("900")
