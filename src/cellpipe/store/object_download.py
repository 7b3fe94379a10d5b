"""Download raw files from object storage: a folder mirrors the objects below an address.

New and changed objects are recognised by the sizes and tags of the listing. ``.fetched.json`` in
the folder records what was downloaded; no other file is ever touched.
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
from cellpipe.system.own_folder import find_root, is_within

FETCHED = ".fetched.json"  # hidden, so not taken for a raw file
State = list[Any]  # size, tag, and the file's time of change in ns as it was written here
_ROUNDED = 2.0  # seconds to which some disks round a file's time


@dataclass(frozen=True)
class DownloadResult:
    """The outcome of a download: files that are new or changed here, and files that are gone.

    ``left_alone`` names the folder's own files that have the name of an object, and fetched files
    that somebody changed here.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    left_alone: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{len(self.new)} files fetched, {len(self.gone)} gone."
        if self.left_alone:
            text += f" Not fetched, for the folder has its own: {', '.join(self.left_alone)}."
        return text


def download(url: str, folder: Path) -> DownloadResult:
    """Bring a folder to the state of the objects below an address.

    An object is taken as changed if its size or tag is. A file is written atomically, with the time
    of its object; files in the folder that were not downloaded are left alone.

    Raises
    ------
    StoreError
        If the storage does not answer or is suddenly empty, the folder can't be written, or it
        holds files that were downloaded from another address.

    """
    with client(url) as obstore:
        store = storage(url)
        folder.mkdir(parents=True, exist_ok=True)
        listed = (o for batch in obstore.list(store) for o in batch if _is_safe_name(o["path"]))
        objects, folded_names = {}, set()
        for entry in sorted(listed, key=lambda o: str(o["path"])):
            if entry["path"].casefold() not in folded_names:  # Windows and macOS can't hold both
                objects[entry["path"]] = entry
                folded_names.add(entry["path"].casefold())
        with _track_downloads(folder, url) as known:
            if known and not objects:
                raise StoreError(
                    f"nothing, where {len(known)} files were", expected="what was fetched before",
                    remedy="nothing is removed here; if they are gone for good, delete the files "
                    f"in {folder} and {FETCHED}", file=url,
                )  # fmt: skip
            new, left_alone = [], []
            for name, entry in objects.items():
                path, state = folder / name, [entry["size"], entry["e_tag"]]
                if known.get(name, [])[:2] == state and path.is_file():
                    continue
                if not _may_write(folder, path, known.get(name), entry):
                    left_alone.append(name)
                    continue
                _write_object(obstore.get(store, name), path)
                known[name] = [*state, path.stat().st_mtime_ns]
                new.append(name)
            gone = sorted(known.keys() - objects.keys())
            for name in gone:
                if not _is_as_fetched(folder / name, known[name]):
                    left_alone.append(name)  # somebody changed it: it is the folder's own now
                elif _may_write(folder, folder / name, known[name], {}):
                    (folder / name).unlink(missing_ok=True)
                del known[name]
    return DownloadResult(tuple(new), tuple(gone), tuple(left_alone))


def _may_write(folder: Path, path: Path, known: State | None, entry: Mapping[str, Any]) -> bool:
    """Return whether an object may take a file's place: one that was fetched, or none.

    No link is followed out of the folder, and no results in it are written to.
    """
    root = find_root(path)
    is_results = root is not None and is_within(root, folder)
    if is_results or not is_within(path.parent, folder):
        return False
    if known is not None:
        return _is_as_fetched(path, known)
    return not path.exists() or _is_same_object(path, entry)


def _is_as_fetched(path: Path, known: State) -> bool:
    """Return whether a file is as it was fetched, or not there."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    moved = abs(status.st_mtime_ns - known[2]) / 1e9 if len(known) > 2 else 0.0
    return bool(status.st_size == known[0] and moved <= _ROUNDED)


def _is_same_object(path: Path, entry: Mapping[str, Any]) -> bool:
    """Return whether a file was downloaded by a run that was cut off before recording it."""
    status = path.stat()
    difference = abs(status.st_mtime - entry["last_modified"].timestamp())
    return bool(status.st_size == entry["size"] and difference <= _ROUNDED)


def _write_object(response: Any, path: Path) -> None:
    seconds = response.meta["last_modified"].timestamp()

    def write(target: Path) -> None:
        with target.open("wb") as stream:
            for chunk in response.stream(min_chunk_size=8 << 20):
                stream.write(chunk)
        os.utime(target, (seconds, seconds))

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
    """Yield the files downloaded into a folder, by name; save changes to it in any case."""
    path = folder / FETCHED
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        before, known = str(document["from"]), dict(document["files"])
    except (OSError, ValueError, KeyError, TypeError):
        before, known = url, {}
    if before != url:
        raise StoreError(
            f"files that were fetched from {before}", expected=f"none, or those of {url}",
            remedy=f"choose a folder for each address; or delete {FETCHED} to keep them as the "
            "folder's own", file=folder,
        )  # fmt: skip
    initial = dict(known)
    try:
        yield known
    finally:
        if known != initial:
            content = json.dumps({"from": url, "files": known}, sort_keys=True)
            write_bytes(path, content.encode())
