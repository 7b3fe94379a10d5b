"""List the folders with raw files, by file names that are the same on every system.

Only Python's standard library is used. Which of the files may be a cycler's is for the formats to
say (:mod:`cellpipe.formats.registry`).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from cellpipe.core.errors import CellpipeError, Reason
from cellpipe.system.change_time import change_time_ns
from cellpipe.system.own_folder import MARK

SHEET_NAMES = ("cells.xlsx", "cells.csv")
BASELINES_NAME, MATERIALS_NAME = "baselines.csv", "materials.yaml"
# Written by the lab itself, at the top of the folder.
LAB_NAMES = (*SHEET_NAMES, BASELINES_NAME, MATERIALS_NAME)
_UNFINISHED = re.compile(
    r"^(~|\.)|\.(tmp|temp|part|partial|filepart|crdownload|download|swp|lck|lock)$", re.IGNORECASE
)
_NO_FILES = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Failure:
    """A file, folder or cell that could not be used, and the reason."""

    path: str
    reason: str  # with the parts of an error as Reason; else a plain sentence

    @property
    def parts(self) -> dict[str, str | None]:
        """Return what was found, expected, the remedy and the file, by name."""
        reason = self.reason if isinstance(self.reason, Reason) else Reason(self.reason)
        return reason.parts


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the folders: its name in them, its path, size (bytes) and times (ns).

    ``changed_ns`` is None where the disk does not tell (:mod:`cellpipe.system.change_time`).
    """

    name: str
    place: str
    size: int
    modified_ns: int
    is_external: bool = False  # a link to a file outside the folders
    changed_ns: int | None = None

    def is_as(self, size: int, modified_ns: int, changed_ns: int | None) -> bool:
        """Return whether the file is as it was then, as far as both are known."""
        if (self.size, self.modified_ns) != (size, modified_ns):
            return False
        return changed_ns is None or self.changed_ns in {None, changed_ns}

    @property
    def path(self) -> Path:
        """Return the file's path."""
        return Path(self.place)


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder to list: the prefix of the names in it, and its path."""

    prefix: str
    place: str


class RawFolders:
    """A main folder, and further ones that prefix their files' names: ``neware/SSB-01.ndax``.

    Parameters
    ----------
    folder, also
        The main folder, which holds the cell sheet, and the further ones.
    without
        Folders that are not searched, wherever they are: the results.

    Raises
    ------
    CellpipeError
        If two folders would give different files the same name, or one is inside another.

    """

    def __init__(self, folder: Path, also: Sequence[Path], without: Sequence[Path]) -> None:
        self.roots = {"": folder} | {f"{folder_label(path)}/": path for path in also}
        self._starts = [(p, str(root).rstrip(os.sep) + os.sep) for p, root in self.roots.items()]
        self._without = frozenset(str(path) for path in without)
        folders = (folder, *also)
        clash = len(self.roots) <= len(also) or any(
            (folder / folder_label(path)).exists() for path in also
        )
        nested = any(a != b and b.is_relative_to(a) for a in folders for b in folders)
        if clash or nested:
            raise CellpipeError(
                "folders with raw files whose names clash",
                expected="folders of different names, none within another",
                remedy=f"rename one of {', '.join(str(root) for root in folders)}",
            )

    def relative_name(self, path: Path) -> str:
        """Return a file's name within the folders, with slashes and encodable characters only."""
        place = str(path)
        for prefix, start in self._starts:
            if place.startswith(start):
                name = f"{prefix}{place[len(start) :]}"
                return self._printable_name(name if os.sep == "/" else name.replace(os.sep, "/"))
        raise ValueError(f"{path} is in none of the folders")

    def path(self, name: str) -> Path:
        """Return the path of a file by its name within the folders."""
        for prefix, root in reversed(self.roots.items()):  # the main folder's prefix is empty: last
            if name.startswith(prefix):
                path = root / name.removeprefix(prefix)
                return (
                    path
                    if "\\udc" not in name or path.exists()
                    else Path(_unescape_name(str(path)))
                )
        raise ValueError(f"{name} is in none of the folders")

    def walk(self) -> tuple[list[Entry], list[Failure]]:
        """Return every file in order of names, and what can't be accessed now.

        Results, hidden and unfinished files are left out, and linked folders are not entered.
        """
        found: list[Entry] = []
        failures: list[Failure] = []
        for prefix, root in self.roots.items():
            self._walk_root(root, prefix, found, failures)
        return found, failures

    def _walk_root(
        self, folder: Path, prefix: str, found: list[Entry], failures: list[Failure]
    ) -> None:
        """Add the files of a folder and its subfolders, deepest last, in order of names."""
        pending = [FolderEntry(prefix, str(folder))]
        while pending:
            listing = pending.pop()
            pending += reversed(self.list_folder(listing, found, failures))

    def list_folder(
        self, listing: FolderEntry, found: list[Entry], failures: list[Failure]
    ) -> list[FolderEntry]:
        """Add the files of one folder, and what can't be accessed; return its subfolders."""
        prefix = listing.prefix
        try:
            with os.scandir(listing.place) as entries:
                listed = sorted(entries, key=_entry_name)
        except OSError as error:
            shown = self._printable_name(prefix)
            failures.append(
                Failure(shown.rstrip("/") or ".", _unreachable_message("folder", shown, error))
            )
            return []
        if prefix not in self.roots and _is_results_folder([entry.name for entry in listed]):
            return []
        subfolders = []
        for entry in listed:
            name = entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if _is_searchable(entry) and entry.path not in self._without:
                        subfolders.append(FolderEntry(f"{prefix}{name}/", entry.path))
                elif is_finished(name) and (prefix or not is_lab_file(name)):
                    self._add_entry(entry, prefix, found)
            except OSError as error:
                shown = self._printable_name(f"{prefix}{name}")
                failures.append(
                    Failure(shown, _unreachable_message("file", self._printable_name(name), error))
                )
        return subfolders

    def _add_entry(self, entry: os.DirEntry[str], prefix: str, found: list[Entry]) -> None:
        status = os.stat(entry.path)  # noqa: PTH116 - a listing's sizes may be outdated on Windows
        is_external = entry.is_symlink() and self._is_external(Path(entry.path))
        if stat.S_ISREG(status.st_mode):
            name = self._printable_name(f"{prefix}{entry.name}")
            found.append(_make_entry(name, entry.path, status, is_external=is_external))

    def _is_external(self, path: Path) -> bool:
        target = path.resolve()
        return not any(target.is_relative_to(root.resolve()) for root in self.roots.values())

    @staticmethod
    def _printable_name(name: str) -> str:
        return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode("utf-8")

    def stat_files(self, wanted: Mapping[str, Path]) -> tuple[list[Entry], list[Failure]]:
        """Return the state of these files; those that no longer exist are left out."""
        found: list[Entry] = []
        failures: list[Failure] = []
        for name, path in sorted(wanted.items()):
            try:
                status = path.stat()
                is_external = path.is_symlink() and self._is_external(path)
            except FileNotFoundError as error:
                failures += self._find_lost_root(name, error)
                continue
            except OSError as error:
                failures.append(Failure(name, _unreachable_message("file", path.name, error)))
                continue
            if not stat.S_ISREG(status.st_mode):
                continue  # a folder now has its name
            found.append(_make_entry(name, str(path), status, is_external=is_external))
        return found, failures

    def _find_lost_root(self, name: str, error: OSError) -> list[Failure]:
        """Return a failure if a file's root is unreachable or empty: the file is not gone then."""
        prefix = self.root_prefix(name)
        try:
            with os.scandir(self.roots[prefix]) as entries:
                is_away = next(entries, None) is None
        except OSError:
            is_away = True
        label = prefix.rstrip("/") or "."
        return [Failure(label, _unreachable_message("folder", label, error))] if is_away else []

    def root_prefix(self, name: str) -> str:
        """Return the prefix of a file's name that names the folder it is in."""
        return next(p for p in reversed(self.roots) if name.startswith(p))

    def is_below(self, name: str, place: str) -> bool:
        """Return whether a file is in the folder of this name; ``.`` is the main one by itself."""
        if place == ".":
            return not self.root_prefix(name)
        return f"{name}/".startswith(f"{place}/")

    def find_empty_roots(self, entries: Sequence[Entry], known: Iterable[str]) -> list[Failure]:
        """Return a failure for each root that had files and is empty: a share may be offline."""
        present = {self.root_prefix(entry.name) for entry in entries}
        expected = {self.root_prefix(name) for name in known}
        reason = "it is empty all at once; what was known of it is kept"
        missing = sorted(expected - present) if len(self.roots) > 1 else []
        return [Failure(prefix.rstrip("/") or ".", reason) for prefix in missing]

    @staticmethod
    def digest(entries: Sequence[Entry]) -> str:
        """Return a digest that differs between any two states of the folders."""
        lines = "\n".join(f"{e.name}\0{e.size}\0{e.modified_ns}\0{e.changed_ns}" for e in entries)
        return hashlib.sha256(lines.encode()).hexdigest()


def _make_entry(name: str, place: str, status: os.stat_result, *, is_external: bool) -> Entry:
    size, modified_ns = status.st_size, status.st_mtime_ns
    return Entry(name, place, size, modified_ns, is_external, change_time_ns(place, status))


def check_folder(folder: Path) -> None:
    """Check that a folder exists and can be opened.

    Raises
    ------
    CellpipeError
        If it does not exist, is a file, or can't be opened.

    """
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except NotADirectoryError as error:
        raise CellpipeError(
            "a file", expected="a folder with raw files", file=folder,
            remedy="name the folder that it is in; cellpipe check FILE looks at one file",
        ) from error  # fmt: skip
    except OSError as error:
        found = "no such folder" if isinstance(error, FileNotFoundError) else (
            f"a folder that can't be opened ({error.strerror})"
        )  # fmt: skip
        raise CellpipeError(
            found, expected="a folder with raw files", file=folder,
            remedy="check the path; a network drive may be disconnected",
        ) from error  # fmt: skip


_BINS = frozenset({  # recycle bins, and folders that drives keep for themselves
    "$recycle.bin", "#recycle", "@recycle", "recycler", "system volume information", "lost+found",
    "@eadir", "#snapshot", "network trash folder", "temporary items",
})  # fmt: skip
_SYSTEMS_OWN = 0x2 | 0x4  # Windows' attributes of a folder that is hidden and of the system
_JUNCTION = 0xA0000003  # Windows' tag of a folder that points elsewhere, as a link does


def _is_searchable(folder: os.DirEntry[str]) -> bool:
    """Return whether a folder is searched for raw files: no bin, not hidden, no junction."""
    if folder.name.startswith((".", "__")) or folder.name.casefold() in _BINS:
        return False
    if os.name != "nt":
        return True
    status = folder.stat(follow_symlinks=False)
    hidden = getattr(status, "st_file_attributes", 0) & _SYSTEMS_OWN == _SYSTEMS_OWN
    return not hidden and getattr(status, "st_reparse_tag", 0) != _JUNCTION


def _unescape_name(name: str) -> str:
    r"""Return a name with the bytes that are no text restored from their form \udcff."""
    return re.sub(r"\\udc([0-9a-f]{2})", lambda match: chr(0xDC00 + int(match[1], 16)), name)


def folder_label(folder: PurePath) -> str:
    r"""Return the prefix of a further folder's files: the folder's name, or its share's or drive's.

    ``\\nas\neware`` is ``neware``, the drive ``E:\`` is ``E``.
    """
    words: list[str] = re.findall(r"[^\\/:]+", folder.anchor)
    return folder.name or (words[-1] if words else "root")


def is_finished(name: str) -> bool:
    """Return whether a name is not that of a hidden, lock or unfinished file."""
    return not (_UNFINISHED.search(name) or name.lower() in _NO_FILES)


def is_lab_file(name: str) -> bool:
    """Return whether a name within the folders is the cell sheet's or the lab baselines'."""
    return name.lower() in LAB_NAMES


def _entry_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_results_folder(names: Sequence[str]) -> bool:
    """Return whether a folder that contains these names is a results folder."""
    has_ledger = "ledger.sqlite" in names or "ledger.url" in names
    return has_ledger and ("tables" in names or MARK in names)


def _unreachable_message(kind: str, name: str, error: OSError) -> str:
    what = f"the folder {name.rstrip('/') or '.'}" if kind == "folder" else name
    return f"{what} can't be opened now ({error.strerror or error}); the next run tries again."
