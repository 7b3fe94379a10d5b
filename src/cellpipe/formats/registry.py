"""The one list of formats: those built in, those of installed packages, and whose files are whose.

Everything that must know which files may be a cycler's (a run, the watch, the check for complete
files) asks here. A file may be one by a suffix that a format uses; under any other suffix but the
foreign ones, its content decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from cellpipe.core.errors import CellpipeError
from cellpipe.formats import basytec, bdf, gamry, landt, maccor, novonix, pec, plain_spectra, zview
from cellpipe.formats.arbin import csv as arbin_csv
from cellpipe.formats.arbin import res as arbin_res
from cellpipe.formats.arbin import xlsx as arbin_xlsx
from cellpipe.formats.biologic import mpr as biologic_mpr
from cellpipe.formats.biologic import mpt as biologic_mpt
from cellpipe.formats.format import Format
from cellpipe.formats.neware import binary as neware_binary
from cellpipe.formats.neware import csv as neware_csv
from cellpipe.formats.neware import xlsx as neware_xlsx

FORMATS: tuple[Format, ...] = (
    biologic_mpr.FORMAT,
    biologic_mpt.FORMAT,
    arbin_csv.FORMAT,
    arbin_xlsx.FORMAT,
    arbin_res.FORMAT,
    neware_binary.NDA,
    neware_binary.NDAX,
    neware_csv.FORMAT,
    neware_xlsx.FORMAT,
    maccor.FORMAT,
    gamry.FORMAT,
    zview.FORMAT,
    novonix.FORMAT,
    landt.FORMAT,
    basytec.FORMAT,
    pec.FORMAT,
    bdf.FORMAT,
    plain_spectra.TEXT,
    plain_spectra.WORKBOOK,
)
GROUP = "cellpipe.formats"  # of entry points
_FOREIGN = frozenset({  # files found in a lab's folders that are no measurements
    ".mps", ".sdx", ".sdu", ".log", ".ini", ".md", ".rst", ".py", ".ipynb", ".m", ".r", ".sh",
    ".bat", ".ps1", ".json", ".yaml", ".yml", ".toml", ".xml", ".html", ".htm", ".pdf", ".png",
    ".jpg", ".jpeg", ".gif", ".svg", ".doc", ".docx", ".ppt", ".pptx", ".parquet", ".opj",
    ".opju", ".zip", ".7z", ".lnk", ".db", ".exe", ".dll",
})  # fmt: skip


@cache
def all_formats() -> tuple[Format, ...]:
    """Return the built-in formats and those of installed packages.

    Raises
    ------
    CellpipeError
        If a package's entry point leads to no format.

    """
    return (*FORMATS, *(_load_format(point) for point in entry_points(group=GROUP)))


def _load_format(point: EntryPoint) -> Format:
    try:
        form = point.load()
        found = f"the entry point {point.name} = {point.value} that is no Format"
    except Exception as error:  # whatever a package does when it is imported
        form, found = None, f"the entry point {point.name} = {point.value} ({error!r})"
    if isinstance(form, Format):
        return form
    raise CellpipeError(
        found,
        expected=f"a module and the name of a Format in it, in the group {GROUP}",
        remedy="correct the package that brings it, or uninstall it",
    )


@cache
def formats_by_suffix() -> dict[str, tuple[Format, ...]]:
    """Return which formats use a suffix (in lower case, with the dot), for all that are used."""
    found: dict[str, tuple[Format, ...]] = {}
    for form in all_formats():
        for suffix in dict.fromkeys(form.suffixes):
            found[suffix] = (*found.get(suffix, ()), form)
    return found


@cache
def companion_suffixes() -> frozenset[str]:
    """Return the suffixes of files that are read with another one, and are none by themselves."""
    return frozenset(suffix for form in all_formats() for suffix in form.companions)


def known_suffixes() -> frozenset[str]:
    """Return the suffixes that some format uses, in lower case with the dot."""
    return frozenset(formats_by_suffix())


def formats_of_name(name: str) -> tuple[Format, ...]:
    """Return the formats that use a file's suffix, the longest that any uses; none if none does."""
    known = formats_by_suffix()
    return next((known[suffix] for suffix in _suffixes(name) if suffix in known), ())


def has_known_suffix(name: str) -> bool:
    """Return whether some format uses a file's suffix: such a file is a cycler's, or set aside."""
    return bool(formats_of_name(name))


def has_foreign_suffix(name: str) -> bool:
    """Return whether a file's suffix is one that no format uses and other programs do.

    So is that of a companion: it is read with the file that it belongs to.
    """
    others = _FOREIGN | companion_suffixes()
    return not has_known_suffix(name) and any(suffix in others for suffix in _suffixes(name))


def companion_paths(path: Path) -> list[Path]:
    """Return the files beside one that a format may read with it, as far as they are there."""
    beside = (path.with_suffix(suffix) for suffix in sorted(companion_suffixes()))
    return [companion for companion in beside if companion.is_file()]


def _suffixes(name: str) -> Iterator[str]:
    """Give all that may be a name's suffix, the longest first: ``.nda.zip``, ``.zip``."""
    parts = name.rpartition("/")[2].lower().split(".")
    return (f".{'.'.join(parts[place:])}" for place in range(1, len(parts)))
