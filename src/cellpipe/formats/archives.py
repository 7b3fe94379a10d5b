"""Check that a zip archive stands alone in its file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from cellpipe.core.errors import DamagedFileError


def check_begins_the_file(path: Path) -> None:
    """Check that nothing stands before the first member of a zip archive.

    Of archives that were joined only the last is listed, and the others would be lost unsaid. A
    file that is no whole archive passes: reading it says what is wrong.

    Raises
    ------
    DamagedFileError
        If bytes stand before the first member.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            first = min((member.header_offset for member in archive.infolist()), default=0)
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return
    if first:
        raise DamagedFileError(
            f"{first:,} bytes before the archive that can be read: two files may have been joined, "
            "and the first would be lost",
            expected="one archive, from the first byte of the file",
            remedy="copy the files again from the instrument, each on its own",
        )
