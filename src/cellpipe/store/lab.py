"""A lab: its folders with raw files, its results with their ledger, its clocks' time zone.

Everything that works for a lab receives this one object. It is resolved once, from the command line
(:func:`resolve_lab`) or from ``cellpipe.toml`` (:mod:`cellpipe.config.labs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

from cellpipe.core.errors import CellpipeError
from cellpipe.core.limits import Limits
from cellpipe.store.layout import RESULT_FOLDERS
from cellpipe.store.ledger import Ledger
from cellpipe.store.location import claim_folder, postgres_from_url, set_ledger_url
from cellpipe.store.objects import check_address
from cellpipe.system.own_folder import MARK, is_same_folder, is_within, read_mark
from cellpipe.system.scan import RawFolders, check_folder
from cellpipe.system.time_zones import check_time_zone


@dataclass(frozen=True)
class Lab:
    """Folders with raw files, the results made from them, and the instruments' time zone.

    ``folder`` holds the cell sheet, ``also`` are more folders with raw files of the same cells;
    ``results`` is cellpipe's own. Paths are absolute. ``ledger_url`` is that of a ledger in
    PostgreSQL, ``fetch_url`` an address of object storage whose files are downloaded into
    ``folder``, ``publish_url`` one that results are uploaded to. ``name`` is what the settings call
    it; of a lab that the command line describes it is empty. ``limits`` are those of its alarms.
    """

    folder: Path
    results: Path
    time_zone: str | None = None
    also: tuple[Path, ...] = ()
    ledger_url: str | None = None
    fetch_url: str | None = None
    publish_url: str | None = None
    name: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse addresses with a key or password in them; see :meth:`check` for the rest."""
        for url in (self.fetch_url, self.publish_url):
            if url is not None:
                check_address(url)
        if self.ledger_url is not None:
            postgres_from_url(self.ledger_url)

    def __getstate__(self) -> dict[str, object]:
        """Leave out what is open: a process that receives a lab opens what it needs."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def ledger(self) -> Ledger:
        """Return the ledger of the results; create it if there is none."""
        if self.ledger_url:
            set_ledger_url(self.results, self.ledger_url)
        return Ledger(self.results)

    @cached_property
    def raw(self) -> RawFolders:
        """Return the folders with raw files, which name the files in them."""
        return RawFolders(self.folder, self.also, (self.results,))

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return every folder with raw files, the main one first."""
        return (self.folder, *self.also)

    def relative_name(self, path: Path) -> str:
        """Return a file's path within the folder, with slashes on every system."""
        return self.raw.relative_name(path)

    def claim(self) -> None:
        """Make the results folder cellpipe's if it may be, before anything is written there.

        Raises
        ------
        CellpipeError
            If it holds files that cellpipe did not write, or is not apart from the raw files.

        """
        for folder in self.folders:
            self.check_apart(folder)
        claim_folder(self.results)

    def check(self) -> None:
        """Check what a run needs before it starts.

        Raises
        ------
        CellpipeError
            If a folder can't be opened, the time zone is not known, two raw folders clash, or a
            folder with raw files is that of the results, within it, or holds other results.

        """
        for folder in self.folders:
            check_folder(folder)
            self.check_apart(folder)
        if self.time_zone is not None:
            check_time_zone(self.time_zone)
        _ = self.raw

    def check_apart(self, folder: Path) -> None:
        """Check that no result can take the place of a raw file, however the folders are spelt.

        Raises
        ------
        CellpipeError
            If a folder with raw files is that of the results, within it, or holds other results.

        """
        if is_same_folder(folder, self.results) or folder == self.results:
            raise CellpipeError(
                "one folder for raw files and results", expected="a results folder of its own",
                remedy="choose another with --out", file=folder,
            )  # fmt: skip
        inner = (self.results / name for name in RESULT_FOLDERS)
        if is_within(folder, self.results) or any(is_same_folder(folder, each) for each in inner):
            raise CellpipeError(
                f"raw files within the results folder {self.results}",
                expected="results apart from the raw files, or in a folder of their own below them",
                remedy="choose another with --out", file=folder,
            )  # fmt: skip
        if read_mark(folder) is not None:
            raise CellpipeError(
                "a folder with cellpipe's results", expected="one with raw files",
                remedy=f"name the folder that the cycler's files are in; {MARK} marks results",
                file=folder,
            )  # fmt: skip


def resolve_lab(
    folder: str | Path,
    results: str | Path,
    time_zone: str | None = None,
    also: Sequence[str | Path] = (),
    *,
    ledger_url: str | None = None,
    fetch_url: str | None = None,
    publish_url: str | None = None,
) -> Lab:
    """Return a lab with absolute paths; no file is accessed or created."""
    return Lab(
        Path(folder).resolve(), Path(results).resolve(), time_zone,
        tuple(Path(each).resolve() for each in also), ledger_url, fetch_url, publish_url,
    )  # fmt: skip


def lab_of_results(results: Path) -> Lab:
    """Return a lab of which only the results are known, to read them without raw files."""
    return Lab(results, results)
