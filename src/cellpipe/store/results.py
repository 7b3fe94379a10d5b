"""Read a results folder: one lazy frame per table, each row with its cell."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from cellpipe.core.contracts import empty_table, load_schema, table_names
from cellpipe.core.errors import StoreError
from cellpipe.store.consolidated import FolderSource, TableSource, scan_table
from cellpipe.store.object_upload import PublishedSource
from cellpipe.store.objects import is_url


class Results(Mapping[str, pl.LazyFrame]):
    """The tables of a results folder by name: ``results["cycles"].collect()``.

    Each is a lazy frame: nothing is read before ``collect``, which raises polars' own errors if a
    file was deleted or damaged meanwhile. Tables of raw files (``timeseries``, ``impedance`` …)
    get ``cell_id`` and ``file_sha256`` from the table ``files``; the columns are those of
    ``schemas/``, with their units. An unknown name raises ``KeyError``.
    """

    def __init__(self, folder: Path | TableSource) -> None:
        self._shelf = FolderSource(folder) if isinstance(folder, Path) else folder

    def __getitem__(self, name: str) -> pl.LazyFrame:
        """Return a table as a lazy frame, empty if nothing was computed yet."""
        if name not in table_names():
            close = difflib.get_close_matches(name, table_names(), 3, 0.4) or table_names()
            raise KeyError(f"no table {name!r}; there are {', '.join(close)}")
        if "cell_id" in load_schema(name).columns or name == "baselines":
            return scan_table(self._shelf, name)
        frames = list(self._scan_files(name))
        return pl.concat(frames, how="diagonal") if frames else empty_table(name).lazy()

    def __iter__(self) -> Iterator[str]:
        """Return the names of all tables."""
        return iter(table_names())

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(table_names())

    def _scan_files(self, name: str) -> Iterator[pl.LazyFrame]:
        files = self["files"].filter(pl.col("status") == "used").collect()
        unique_files = files.unique("file_sha256", keep="first", maintain_order=True)
        existing = self._shelf.file_states(name)
        for sha256, cell_id in unique_files.select("file_sha256", "cell_id").iter_rows():
            if f"{sha256}.parquet" in existing:
                path = self._shelf.location(f"tables/{name}/{sha256}.parquet")
                yield pl.scan_parquet(path, glob=False).with_columns(
                    cell_id=pl.lit(cell_id, pl.String), file_sha256=pl.lit(sha256)
                )


def open_results(folder: str | Path) -> Results:
    """Open results for reading: a folder, or results published to object storage.

    Parameters
    ----------
    folder
        A results folder, or an address such as ``s3://results/lab``.

    Returns
    -------
    The tables by name, each as a lazy frame.

    Raises
    ------
    StoreError
        If there are no results, or the storage does not answer.

    """
    if is_url(folder):
        return Results(PublishedSource(str(folder)))
    folder = Path(folder)
    if not (folder / "tables").is_dir():
        raise StoreError(
            "no results", expected="a folder that cellpipe process wrote",
            remedy="run cellpipe process FOLDER --out RESULTS first", file=folder,
        )  # fmt: skip
    return Results(folder)
