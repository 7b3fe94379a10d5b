"""Raw files from object storage: a folder follows what lies below an address.

What is new or changed is told by the listing's sizes and tags. ``.fetched.json`` in the folder
notes what came from there; no other file is ever touched.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cellpipe.core.errors import StoreError
from cellpipe.store.objects import client, storage
from cellpipe.system.atomic_files import atomic_write, is_reserved, write_bytes

FETCHED = ".fetched.json"  # hidden: no raw file
State = list[object]  # size and tag
_ROUNDED = 2.0  # seconds: to so much some disks round a file's time


@dataclass(frozen=True)
class DownloadResult:
    """What fetching did: files that are new or changed here, files that are gone, others' files.

    ``left_alone`` names files of the folder's own that are called like an object.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    left_alone: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{len(self.new)} files fetched, {len(self.gone)} gone."
        if self.left_alone:
            said += f" Not fetched, for the folder has its own: {', '.join(self.left_alone)}."
        return said


def download(url: str, folder: Path) -> DownloadResult:
    """Bring a folder to the state of the objects below an address.

    An object counts as changed by its size and tag. A file is put there whole, with the time of
    its object; what is in the folder and did not come from there is left alone.

    Raises
    ------
    StoreError
        If the storage does not answer or is empty all at once, the folder can't be written, or it
        holds what was fetched from another address.

    """
    with client(url) as obstore:
        store = storage(url)
        folder.mkdir(parents=True, exist_ok=True)
        listed = (o for batch in obstore.list(store) for o in batch if _is_safe_name(o["path"]))
        there, spelt = {}, set()
        for found in sorted(listed, key=lambda o: str(o["path"])):
            if found["path"].casefold() not in spelt:  # Windows and macOS hold one of two
                there[found["path"]] = found
                spelt.add(found["path"].casefold())
        with _track_downloads(folder, url) as known:
            if known and not there:
                raise StoreError(
                    f"nothing, where {len(known)} files were", expected="what was fetched before",
                    remedy="nothing is removed here; if they are gone for good, delete the files "
                    f"in {folder} and {FETCHED}", file=url,
                )  # fmt: skip
            new, left_alone = [], []
            for name, found in there.items():
                path, state = folder / name, [found["size"], found["e_tag"]]
                if known.get(name) == state and path.is_file():
                    continue
                if name not in known and path.exists() and not _is_same_object(path, found):
                    left_alone.append(name)
                    continue
                _write_object(obstore.get(store, name), path)
                known[name] = state
                new.append(name)
            gone = sorted(known.keys() - there.keys())
            for name in gone:
                (folder / name).unlink(missing_ok=True)
                del known[name]
    return DownloadResult(tuple(new), tuple(gone), tuple(left_alone))


def _is_same_object(path: Path, found: Mapping[str, Any]) -> bool:
    """Return whether a file is an object that was fetched, though a run was cut off before it noted so."""
    status = path.stat()
    apart = abs(status.st_mtime - found["last_modified"].timestamp())
    return bool(status.st_size == found["size"] and apart <= _ROUNDED)


def _write_object(found: Any, path: Path) -> None:
    seconds = found.meta["last_modified"].timestamp()

    def write(to: Path) -> None:
        with to.open("wb") as stream:
            for chunk in found.stream(min_chunk_size=8 << 20):
                stream.write(chunk)
        os.utime(to, (seconds, seconds))

    atomic_write(path, write)


def _is_safe_name(name: str) -> bool:
    """Return whether an object's name can be a file's within the folder, on every system."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not any(
        p.endswith((".", " ")) or is_reserved(p) or re.search(r'[\\:*?"<>|\x00-\x1f]', p)
        for p in parts
    )


@contextmanager
def _track_downloads(folder: Path, url: str) -> Iterator[dict[str, State]]:
    """Return what was fetched into a folder, by name; what becomes of it is kept, come what may."""
    path = folder / FETCHED
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        before, known = str(told["from"]), dict(told["files"])
    except (OSError, ValueError, KeyError, TypeError):
        before, known = url, {}
    if before != url:
        raise StoreError(
            f"files that were fetched from {before}", expected=f"none, or those of {url}",
            remedy=f"choose a folder for each address; or delete {FETCHED} to keep them as the "
            "folder's own", file=folder,
        )  # fmt: skip
    held = dict(known)
    try:
        yield known
    finally:
        if known != held:
            content = json.dumps({"from": url, "files": known}, sort_keys=True)
            write_bytes(path, content.encode())
