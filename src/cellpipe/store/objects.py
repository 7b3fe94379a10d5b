"""Object storage (``s3://…``, ``gs://…``, ``az://…``): raw files from it, results to it.

Work is done on a disk; a bucket is where files come from and where results go. What is fetched is
told by the listing's sizes and tags. What is published is told by ``published.json``, which holds
the sha256 of every file: objects are put first, then it, each put being whole or not at all. It is
put only over the one that was read (a conditional write), so of two that publish at once one is
refused before it writes anything. The ledger is the truth: whatever broke off is made good by the
next run. Keys and addresses come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``
…), as the vendors' own programs read them.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cellpipe.errors import StoreError
from cellpipe.result_files import written_bytes, written_whole
from cellpipe.store.ledger import Ledger, Written
from cellpipe.store.written import as_written

MANIFEST = "published.json"
FETCHED = ".fetched.json"  # hidden: no raw file
_IDENTITY = "published as"
_ABOUT_ALL = ("index.html", "all-cells.xlsx", "digest.html", "digest.txt", "summary.xlsx",
              "summary.csv")  # fmt: skip


def is_url(place: object) -> bool:
    """Whether a place is one of object storage: a scheme of more than a drive's letter."""
    return re.match(r"[a-z][a-z0-9+]+://", str(place)) is not None


@dataclass(frozen=True)
class Fetched:
    """What fetching did: files that are new or changed here, and files that are gone."""

    new: tuple[str, ...]
    gone: tuple[str, ...]


def fetched(url: str, folder: Path) -> Fetched:
    """Bring a folder to the state of the objects below an address.

    An object counts as changed by its size and tag. A file is put there whole, with the time of
    its object; what is in the folder and did not come from there is left alone.

    Raises
    ------
    StoreError
        If the storage does not answer, or the folder can't be written.

    """
    with _client(url) as obstore:
        store = _store(url)
        folder.mkdir(parents=True, exist_ok=True)
        known = _known(folder)
        there = {
            o["path"]: o for batch in obstore.list(store) for o in batch if _is_safe(o["path"])
        }
        new = []
        for name, found in sorted(there.items()):
            state: list[object] = [found["size"], found["e_tag"]]
            path = folder / name
            if known.get(name) == state and path.is_file():
                continue
            written_whole(path, _download(obstore.get(store, name)))
            seconds = found["last_modified"].timestamp()
            os.utime(path, (seconds, seconds))
            known[name] = state
            new.append(name)
            _remember(folder, known)
        gone = sorted(known.keys() - there.keys())
        for name in gone:
            (folder / name).unlink(missing_ok=True)
            del known[name]
        if gone:
            _remember(folder, known)
    return Fetched(tuple(new), tuple(gone))


def _download(found: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as stream:
            for chunk in found.stream(min_chunk_size=8 << 20):
                stream.write(chunk)

    return write


def _is_safe(name: str) -> bool:
    """Whether an object's name can be a file's within the folder, on every system."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not any(p in {"..", "."} or re.search(r'[\\:*?"<>|]', p) for p in parts)


def _known(folder: Path) -> dict[str, list[object]]:
    try:
        return dict(json.loads((folder / FETCHED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _remember(folder: Path, known: Mapping[str, object]) -> None:
    written_bytes(folder / FETCHED, json.dumps(known, sort_keys=True).encode())


@dataclass(frozen=True)
class Published:
    """What is published below an address: files by path; ``tag`` tells this state from others."""

    identity: str
    files: Mapping[str, Written]
    tag: str | None = None
    done: bool = True


def published(url: str) -> Published:
    """Read what is published below an address; nothing is if nothing ever was.

    Raises
    ------
    StoreError
        If the storage does not answer, or what lies there is no cellpipe's.

    """
    with _client(url) as obstore:
        try:
            found = obstore.get(_store(url), MANIFEST)
            told, tag = bytes(found.bytes()), found.meta["e_tag"]
        except FileNotFoundError:
            return Published("", {})
        said = json.loads(told)
        files = {path: Written(path, *state) for path, state in said["files"].items()}
        return Published(said["results"], files, tag, said["done"])


class PublishedShelf:
    """Published results, read through polars' own object store.

    Raises
    ------
    StoreError
        If nothing is published there, or the storage does not answer.

    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files = published(url).files
        if not self._files:
            raise StoreError(
                "no results", expected="an address that results were published to",
                remedy="run cellpipe process FOLDER --out RESULTS --publish URL first", file=url,
            )  # fmt: skip

    def listed(self, table: str) -> dict[str, tuple[int, int]]:
        """Give size and time of each file of a table, by name, in order."""
        start = f"tables/{table}/"
        return {
            path.removeprefix(start): (file.size, file.modified_ns)
            for path, file in sorted(self._files.items())
            if path.startswith(start)
        }

    def place(self, name: str) -> str:
        """Give the address of the file of this path within the results."""
        return f"{self.url}/{name}"


def publish(ledger: Ledger, url: str) -> int:
    """Bring what is published to the state of a results folder; count the objects that were put.

    Only the writer of the results may call it.

    Raises
    ------
    StoreError
        If the storage does not answer, holds other results, or another one publishes just now.

    """
    before = published(url)
    identity = ledger.mark(_IDENTITY) or uuid.uuid4().hex
    ledger.set_mark(_IDENTITY, identity)
    if before.identity not in {"", identity}:
        raise StoreError(
            "results of another ledger", expected="none, or those of this one",
            remedy="choose an address of its own for each results folder", file=url,
        )  # fmt: skip
    files = {written.path: written for written in _to_publish(ledger)}
    changed = [
        path for path, file in files.items()
        if path not in before.files or before.files[path].sha256 != file.sha256
    ]  # fmt: skip
    gone = before.files.keys() - files.keys()
    if not (changed or gone) and before.done:
        return 0
    with _client(url) as obstore:
        store = _store(url)
        tag = _put_manifest(
            obstore, store, Published(identity, before.files, before.tag, done=False)
        )
        for path in changed:
            obstore.put(store, path, ledger.folder / path)
        _ = _put_manifest(obstore, store, Published(identity, files, tag))
        for path in gone:
            obstore.delete(store, path)
    return len(changed)


def _put_manifest(obstore: Any, store: Any, state: Published) -> str:
    files = {p: [f.size, f.modified_ns, f.sha256] for p, f in sorted(state.files.items())}
    told = {"results": state.identity, "done": state.done, "files": files}
    mode: Any = {"e_tag": state.tag} if state.tag else "create"
    return str(obstore.put(store, MANIFEST, json.dumps(told).encode(), mode=mode)["e_tag"])


def _to_publish(ledger: Ledger) -> Iterator[Written]:
    yield from (file for file in ledger.written() if (ledger.folder / file.path).is_file())
    for name in _ABOUT_ALL:
        if (ledger.folder / name).is_file():
            yield as_written(ledger.folder, ledger.folder / name)


def _store(url: str) -> Any:
    from obstore.store import from_url

    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return from_url(url, client_options={"allow_http": True} if plain else None)


@contextmanager
def _client(url: str) -> Iterator[Any]:
    """Give obstore; turn what it raises into an error that says what to do."""
    try:
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
    except ImportError as error:
        raise StoreError(
            "an address of object storage, and no obstore to reach it",
            expected="the package obstore", remedy="pip install 'cellpipe[s3]'", file=url,
        ) from error  # fmt: skip
    try:
        yield obstore
    except (AlreadyExistsError, PreconditionError) as error:
        raise StoreError(
            "another run that publishes there just now", expected="one at a time",
            remedy="nothing is lost: the next run publishes", file=url,
        ) from error  # fmt: skip
    except (BaseError, OSError, ValueError) as error:
        said = str(error).split("\n")[0][:200]
        raise StoreError(
            f"a storage that does not do as it is asked ({said})",
            expected="an address that can be reached, and the right to it",
            remedy="check the address and the keys in the environment", file=url,
        ) from error  # fmt: skip
