"""The state of the ledger, read once: what a run plans from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellpipe.store.failures import FileFailure
    from cellpipe.store.overlaps import Overlap
    from cellpipe.store.records import CellEntry, Content, SeenFile

SEVERAL = "several"  # status of a file that holds the recordings of several cells


@dataclass(frozen=True)
class LedgerSnapshot:
    """Everything that is known of one lab's files, contents and cells at one moment.

    Attributes
    ----------
    seen
        The files of the folder as they were last seen, by path within it.
    contents
        What reading each content gave, by sha256.
    cells
        From what each cell was computed, by id.
    failures
        Failures of files that may pass, by path.
    values
        What is kept under a name.
    folders
        The folders whose files were ingested, as text.
    overlaps
        Which records pairs of contents share, by their sha256.

    """

    seen: Mapping[str, SeenFile] = field(default_factory=dict)
    contents: Mapping[str, Content] = field(default_factory=dict)
    cells: Mapping[str, CellEntry] = field(default_factory=dict)
    failures: Mapping[str, FileFailure] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    overlaps: Mapping[tuple[str, str], Overlap] = field(default_factory=dict)

    def content_of(self, name: str) -> Content | None:
        """Return the content of a file, or of a recording in one; None if not known."""
        file = self.seen.get(name)
        return self.contents.get(file.sha256) if file else None

    def recording_names(self, name: str) -> list[str]:
        """Return the recordings in a file: the file itself, or its parts as ``path#part``."""
        content = self.content_of(name)
        if content is None or content.status != SEVERAL:
            return [name]
        return [f"{name}#{part}" for part in json.loads(content.metadata)["parts"]]

    def recording_file(self, recording: str) -> str:
        """Return the file that a recording is in: itself, or one with those of several cells."""
        whole = recording.rpartition("#")[0]
        return whole if recording in self.recording_names(whole) else recording

    def recordings(
        self, names: Iterable[str]
    ) -> Iterator[tuple[str, tuple[SeenFile, Content] | None]]:
        """Yield each recording in these files with what is known of it; None if not ingested."""
        for name in names:
            for recording in self.recording_names(name):
                file, content = self.seen.get(recording), self.content_of(recording)
                yield recording, (file, content) if file and content else None

    def contents_of_size(self, size: int) -> tuple[Content, ...]:
        """Return the contents of files of a size, and of their parts; a copy has one of them."""
        return self._contents_by_size.get(size, ())

    @cached_property
    def _contents_by_size(self) -> dict[int, tuple[Content, ...]]:
        found: dict[int, dict[str, Content]] = {}
        for file in self.seen.values():
            if file.sha256 in self.contents:
                found.setdefault(file.size, {})[file.sha256] = self.contents[file.sha256]
        return {size: tuple(each.values()) for size, each in found.items()}

    def with_files(
        self,
        files: Iterable[SeenFile],
        contents: Iterable[Content],
        failures: Iterable[FileFailure] = (),
    ) -> LedgerSnapshot:
        """Return the state after files were recorded, or failed."""
        new = {file.path: file for file in files}
        failed = {name: f for name, f in self.failures.items() if name not in new}
        return replace(
            self,
            seen={**self.seen, **new},
            contents={**self.contents, **{content.sha256: content for content in contents}},
            failures=failed | {failure.path: failure for failure in failures},
        )

    def with_cells(self, entries: Iterable[CellEntry]) -> LedgerSnapshot:
        """Return the state after cells were recorded."""
        return replace(self, cells={**self.cells, **{entry.cell_id: entry for entry in entries}})

    def without(
        self, *, files: Collection[str] = (), cells: Collection[str] = ()
    ) -> LedgerSnapshot:
        """Return the state after files and cells were forgotten."""
        return replace(
            self,
            seen={name: file for name, file in self.seen.items() if name not in files},
            failures={name: f for name, f in self.failures.items() if name not in files},
            cells={name: entry for name, entry in self.cells.items() if name not in cells},
        )
