"""Upload results to object storage: changed files first, then the manifest ``published.json``.

The manifest holds the sha256 of every file. Objects are put first, then the manifest, each
completely or not at all; objects no longer needed are deleted last. The manifest is put only over
the one that was read (a conditional write), so of two uploads at once one is refused before it
writes anything. The ledger is the truth: the next run completes whatever was interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from cellpipe.core.errors import StoreError
from cellpipe.store.ledger import Ledger
from cellpipe.store.manifest import describe_file
from cellpipe.store.objects import client, storage
from cellpipe.store.records import ResultFile

MANIFEST = "published.json"
_ABOUT_ALL = ("index.html", "all-cells.xlsx", "digest.html", "digest.txt", "summary.xlsx",
              "summary.csv")  # fmt: skip


@dataclass(frozen=True)
class PublishedManifest:
    """The files published below an address, by path; ``tag`` distinguishes this state from others.

    ``leaving`` names files that are to be deleted, or are deleted already.
    """

    identity: str
    files: Mapping[str, ResultFile]
    tag: str | None = None
    done: bool = True
    leaving: tuple[str, ...] = ()


def read_manifest(url: str) -> PublishedManifest:
    """Read the manifest below an address; return an empty one if nothing was ever published.

    Raises
    ------
    StoreError
        If the storage does not answer, or the object there is not cellpipe's.

    """
    with client(url) as obstore:
        try:
            response = obstore.get(storage(url), MANIFEST)
            content, tag = bytes(response.bytes()), response.meta["e_tag"]
        except FileNotFoundError:
            return PublishedManifest("", {})
    try:
        held = json.loads(content)
        files = {path: ResultFile(path, *state) for path, state in held["files"].items()}
        return PublishedManifest(held["results"], files, tag, held["done"], tuple(held["leaving"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"a {MANIFEST} that is not cellpipe's", expected="published results, or nothing",
            remedy="choose an address of its own for the results", file=url,
        ) from error  # fmt: skip


class PublishedSource:
    """Published results, read through polars' own object store.

    Raises
    ------
    StoreError
        If nothing is published there, or the storage does not answer.

    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files = read_manifest(url).files
        if not self._files:
            raise StoreError(
                "no results", expected="an address that results were published to",
                remedy="run cellpipe process FOLDER --out RESULTS --publish URL first", file=url,
            )  # fmt: skip

    def file_states(self, table: str) -> dict[str, tuple[int, int]]:
        """Return size and time of each file of a table, by name, in order of names."""
        start = f"tables/{table}/"
        return {
            path.removeprefix(start): (file.size, file.modified_ns)
            for path, file in sorted(self._files.items())
            if path.startswith(start)
        }

    def location(self, name: str) -> str:
        """Return the address of the file with this path in the results."""
        return f"{self.url}/{name}"


def upload(ledger: Ledger, url: str) -> int:
    """Bring what is published to the state of a results folder; count the objects that were put.

    Only the writer of the results may call it.

    Raises
    ------
    StoreError
        If the storage does not answer, holds other results, or another upload is running.

    """
    before = read_manifest(url)
    identity = ledger.identity()
    if before.identity not in {"", identity}:
        raise StoreError(
            "results of another ledger", expected="none, or those of this one",
            remedy="choose an address of its own for each results folder", file=url,
        )  # fmt: skip
    files = {written.path: written for written in _files_to_upload(ledger)}
    changed = [
        path for path, file in files.items()
        if path not in before.files or before.files[path].sha256 != file.sha256
    ]  # fmt: skip
    gone = tuple(sorted((before.files.keys() | set(before.leaving)) - files.keys()))
    if not (changed or gone) and before.done:
        return 0
    with client(url) as obstore:
        store = storage(url)
        if not before.identity:
            _check_free(obstore, store, url)
        state = replace(before, identity=identity, done=False)
        state = _put_manifest(obstore, store, state)
        for path in changed:
            obstore.put(store, path, ledger.folder / path)
        state = _put_manifest(obstore, store, replace(state, files=files, leaving=gone))
        for path in gone:
            with suppress(FileNotFoundError):  # deleted by a run that was interrupted
                obstore.delete(store, path)
        _put_manifest(obstore, store, replace(state, done=True, leaving=()))
    return len(changed)


def _check_free(obstore: Any, store: Any, url: str) -> None:
    """Check that nothing is at an address that results were never published to.

    Raises
    ------
    StoreError
        If there is something: it is not cellpipe's to replace.

    """
    names = sorted(str(entry["path"]) for entry in next(iter(obstore.list(store)), ()))
    if names and MANIFEST not in names:  # with it, somebody publishes there just now
        raise StoreError(
            f"files that cellpipe did not write ({names[0]} …)",
            expected="an address with nothing below it, or with published results",
            remedy="choose an address of its own for the results", file=url,
        )  # fmt: skip


def _put_manifest(obstore: Any, store: Any, state: PublishedManifest) -> PublishedManifest:
    """Put the manifest over the one that was read; return the state with its new tag."""
    document = {
        "results": state.identity,
        "done": state.done,
        "leaving": state.leaving,
        "files": {p: [f.size, f.modified_ns, f.sha256] for p, f in sorted(state.files.items())},
    }
    mode: Any = {"e_tag": state.tag} if state.tag else "create"
    tag = obstore.put(store, MANIFEST, json.dumps(document).encode(), mode=mode)["e_tag"]
    return replace(state, tag=str(tag))


def _files_to_upload(ledger: Ledger) -> Iterator[ResultFile]:
    yield from (
        file for file in ledger.result_files()
        if "/" in file.path and (ledger.folder / file.path).is_file()
    )  # fmt: skip
    for name in _ABOUT_ALL:
        if (ledger.folder / name).is_file():
            yield describe_file(ledger.folder, ledger.folder / name)
