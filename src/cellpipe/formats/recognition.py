"""Recognition of a file's format by its first bytes, and a description of what is no raw file."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

from cellpipe.core.errors import NoDataError, UnknownFormatError
from cellpipe.formats import plain_spectra, registry
from cellpipe.formats.format import Format, Sample, Statement
from cellpipe.formats.tabular.workbook import sheet_names
from cellpipe.system.file_bounds import archive_damage, check_lines, check_sizes
from cellpipe.system.regular_files import open_regular

HEAD_BYTES = 1 << 16
_FOREIGN_FILES = {
    b"version https://git-lfs": ("a git-LFS pointer", "fetch the file itself with git lfs pull"),
    b"\x80\x04\x95": ("a Python pickle", "export the data again from the instrument's program"),
    b"\x80\x03": ("a Python pickle", "export the data again from the instrument's program"),
    b"<!DOCTYPE": ("a web page", "download the file itself, not the page that shows it"),
    b"<html": ("a web page", "download the file itself, not the page that shows it"),
    b"%PDF": ("a PDF document", "leave it out of the folder"),
    b"\x89PNG": ("a picture", "leave it out of the folder"),
    b"\xff\xd8\xff": ("a picture", "leave it out of the folder"),
}


def find_format(path: Path, stated: Statement | None = None) -> Format:
    """Find the one format that claims a file; a plain table if somebody states its columns.

    Raises
    ------
    UnknownFormatError
        If none or two do.
    NoDataError
        If the file is empty.
    DamagedFileError
        If it states sizes that can't be.

    """
    with open_regular(path) as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip(b"\x00"):
        raise NoDataError(
            f"{'an empty file' if not head else 'nothing but zeros'}",
            expected="a cycler's file",
            remedy="copy it again from the instrument",
            file=path,
        )
    check_sizes(path, head)
    sample = Sample(path, head)
    claims = claiming_formats(registry.all_formats(), sample)
    if stated is not None and stated.columns is not None:
        claims = [plain_spectra.WORKBOOK if sheet_names(sample) else plain_spectra.TEXT]
    if len(claims) != 1:
        raise _unknown_format_error(sample, claims)
    check_lines(path, head)
    return claims[0]


def claiming_formats(forms: Iterable[Format], sample: Sample) -> list[Format]:
    """Return the formats that claim a file; the general ones only if no other does."""
    by_kind: dict[bool, list[Format]] = {False: [], True: []}
    for form in forms:
        by_kind[form.is_general].append(form)
    makers = [form for form in by_kind[False] if claims_file(form, sample)]
    return makers or [form for form in by_kind[True] if claims_file(form, sample)]


def claims_file(form: Format, sample: Sample) -> bool:
    """Return whether a format claims a file; one whose test raises does not."""
    try:
        return form.claims(sample)
    except BaseException as error:
        if is_disk_error(error) or not is_reader_error(error):
            raise
        return False


def _unknown_format_error(sample: Sample, claims: list[Format]) -> UnknownFormatError:
    names = ", ".join(form.name for form in claims)
    found = f"a file that {len(claims)} formats claim ({names})" if claims else ""
    remedy = "if it is no measurement, keep it in another folder"
    for start, (kind, what_to_do) in _FOREIGN_FILES.items():
        if sample.head.startswith(start):
            found, remedy = kind, what_to_do
    if not found and plain_spectra.is_table_of_numbers(sample.head):
        found = "a table of numbers whose columns have no names"
        remedy = (
            "write the names into a first line, as f/Hz, Z'/Ohm, -Z''/Ohm, or say them: cellpipe "
            "eis FILE --columns \"f/Hz, Z'/Ohm, -Z''/Ohm\""
        )
    if not found and sample.head.startswith(b"PK\x03\x04"):
        found = archive_damage(sample.path)
        remedy = "copy it again" if found else remedy
    if not found:
        shown = sample.head[:24].decode("ascii", "replace").replace("\ufffd", "·")
        found = f"content that no format knows, beginning {shown!r}"
    makers = ", ".join(dict.fromkeys(form.maker for form in registry.all_formats()))
    expected = f"a file of one of these: {makers}"
    return UnknownFormatError(found, expected=expected, remedy=remedy, file=sample.path)


def is_reader_error(error: BaseException) -> bool:
    """Return whether an error is a reader's, given untrusted bytes; each library panics its way."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def is_disk_error(error: BaseException) -> bool:
    """Return whether an error is the disk's or the network's, and may pass.

    A place before the beginning of the file (EINVAL) is what a false offset in the file leads to.
    """
    return isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}
