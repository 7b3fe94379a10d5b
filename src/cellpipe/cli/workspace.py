"""Make a lab's workspace: settings, a folder for raw files and the cell sheet, one for results."""

from __future__ import annotations

from pathlib import Path

from cellpipe.cell_sheet.template import write_template
from cellpipe.config.example import example_settings
from cellpipe.config.settings import NAME
from cellpipe.core.errors import CellpipeError

INBOX, RESULTS = "inbox", "results"


def is_free(folder: Path) -> bool:
    """Return whether a workspace can be made there: the path is free, or an empty folder."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def check_not_workspace(folder: Path) -> None:
    """Refuse a folder that is a workspace already: a cell sheet beside its settings isn't read.

    Raises
    ------
    CellpipeError
        If it is one; the error names the cell sheet to fill in.

    """
    if (folder / NAME).exists() and (folder / INBOX).is_dir():
        raise CellpipeError(
            "a workspace", expected="a new folder, or one with raw files", file=folder,
            remedy=f"fill in {folder / INBOX / 'cells.xlsx'}; cellpipe doctor, there, looks at it",
        )  # fmt: skip


def make_workspace(folder: Path, time_zone: str | None = None) -> tuple[Path, ...]:
    """Make a workspace; return its paths in the order in which they are needed.

    ``time_zone`` is that of the instruments' clocks. Without it none is written.

    Raises
    ------
    CellpipeError
        If the folder is not empty, or can't be written.

    """
    if not is_free(folder):
        raise CellpipeError(
            "a folder with something in it", expected="a new or an empty one", file=folder,
            remedy="name another",
        )  # fmt: skip
    inbox, results, settings = folder / INBOX, folder / RESULTS, folder / NAME
    try:
        inbox.mkdir(parents=True)
        results.mkdir()
        settings.write_text(example_settings(INBOX, RESULTS, time_zone), encoding="utf-8")
    except OSError as error:
        raise CellpipeError(
            f"a place that can't be written ({error.strerror})",
            expected="a folder that you may write to",
            remedy="name another, or check your rights there", file=folder,
        ) from error  # fmt: skip
    return inbox, write_template(inbox, {}), settings, results
