"""Files that are wrong on purpose: how one is made from a good one, and what reading it may do."""

from __future__ import annotations

import io
import random
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cellpipe
from cellpipe.core import contracts
from cellpipe.core.errors import CellpipeError

SECONDS, BYTES = 5.0, 1 << 30
_EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62, 2**64 - 1)
_WORDS = (b"1e309", b"-1e309", b"-5", b"nan", b"", b"0x10", b"9" * 20, b"1,5", b"\x00",
          b"-00:00:01", b"31/31/2024", b'"', b"\xff\xfe", b"\r", b"\n\n\n", b"1e-400")  # fmt: skip
_MARKS = (b"\n", b"\t", b",", b"MODULE", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x00\x00")


def flipped(content: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 2, 8, 40))):
        at = chance.randrange(len(content))
        content[at] ^= 1 << chance.randrange(8)
    return bytes(content)


def cut(content: bytearray, chance: random.Random) -> bytes:
    """Cut anywhere, or where something begins or ends."""
    mark = chance.choice(_MARKS)
    places = list(range(0, len(content), max(len(content) // 400, 1)))
    found = bytes(content).find(mark, chance.randrange(len(content)))
    at = found + chance.choice((0, len(mark))) if found > 0 else chance.choice(places)
    return bytes(content[:at])


def inserted(content: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    more = chance.choice((chance.randbytes(chance.randrange(1, 64)), chance.choice(_WORDS)))
    return bytes(content[:at]) + more + bytes(content[at:])


def removed(content: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return bytes(content[:at]) + bytes(content[at + chance.choice((1, 2, 7, 512, 4096)) :])


def swapped(content: bytearray, chance: random.Random) -> bytes:
    size = chance.choice((16, 512, 4096))
    one, other = (chance.randrange(len(content)) for _ in range(2))
    a, b = bytes(content[one : one + size]), bytes(content[other : other + size])
    content[one : one + len(b)], content[other : other + len(a)] = b, a
    return bytes(content)


def lying(content: bytearray, chance: random.Random) -> bytes:
    """Write a count, an offset or a size that is not true, mostly where headers stand."""
    span = chance.choice((128, 2048, len(content)))
    at = chance.randrange(min(span, len(content)))
    form = chance.choice(("<B", "<H", "<I", "<Q"))
    value = chance.choice((*_EXTREMES, chance.getrandbits(32))) % (1 << 8 * struct.calcsize(form))
    content[at : at + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(content)


def reworded(content: bytearray, chance: random.Random) -> bytes:
    """Replace a field of text by something that no instrument writes."""
    fields = bytes(content).split(chance.choice((b"\t", b",", b"\n", b":")))
    if len(fields) < 2:
        return lying(content, chance)
    mark = bytes(content)[len(fields[0]) : len(fields[0]) + 1]
    for _ in range(chance.choice((1, 1, 5))):
        fields[chance.randrange(len(fields))] = chance.choice(_WORDS)
    return mark.join(fields)


Mutation = Callable[[bytearray, random.Random], bytes]
MUTATIONS: tuple[Mutation, ...] = (flipped, cut, inserted, removed, swapped, lying, reworded)


def mutated(content: bytes, seed: str) -> bytes:
    """Give a wrong version of a file; in archives, half of them within a member."""
    chance = random.Random(seed)
    how = chance.choice(MUTATIONS)
    if content.startswith(b"PK") and chance.random() < 0.5:
        return _mutated_member(content, how, chance)
    return how(bytearray(content), chance)


def _mutated_member(content: bytes, how: Mutation, chance: random.Random) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w", 8) as new:
        names = old.namelist()
        chosen = chance.choice(names)
        for name in names:
            inside = old.read(name)
            if name == chosen and inside:
                inside = how(bytearray(inside), chance)
            if name != chosen or chance.random() > 0.05:
                new.writestr(name, inside)
    return packed.getvalue()


def limited() -> None:
    """Let this process have a gigabyte more than it has now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    data = int(next(line for line in lines if line.startswith("VmData")).split()[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (data + BYTES, data + BYTES))


def trials(name: str, content: bytes, seeds: list[str], folder: Path) -> list[str]:
    """Read wrong versions of a file; give what went wrong with those that went wrong."""
    wrong = []
    path = folder / name
    for seed in seeds:
        path.write_bytes(mutated(content, seed))
        said = trial(path)
        if said:
            wrong.append(f"{name} with seed {seed!r}: {said}")
    return wrong


def trial(path: Path) -> str:
    """Read a file: nothing if it gave whole tables or one of our errors, else what it did."""
    return attempt(path)[0]


def attempt(path: Path) -> tuple[str, bool]:
    """Read a file; give what :func:`trial` says of it, and whether one of our errors refused it."""
    start = time.process_time()  # a busy machine is no fault of the reader
    refused = False
    try:
        measurement = cellpipe.read(path)
        for table, frame in measurement.tables.items():
            contracts.validate(table, frame)
    except CellpipeError as error:
        refused = True
        said = "" if error.file and error.found else f"an error without its file: {error}"
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"[:300]
    else:
        said = ""
    took = time.process_time() - start
    return said or (f"took {took:.1f} s" if took > SECONDS else ""), refused
