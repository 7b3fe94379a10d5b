"""Write files into folders that are not cellpipe's: replace only what it wrote there itself.

``.cellpipe-files.json`` in such a folder tells the files that were written there, by name and
sha256 (the last two). A file that is not in it, or was changed since, is somebody's.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from cellpipe.core.errors import ForeignFileError
from cellpipe.system.atomic_files import write_bytes

RECORD = ".cellpipe-files.json"


def export_file(path: Path, content: bytes) -> Path:
    """Write a file, unless one is there that cellpipe did not write, or that was changed since.

    Raises
    ------
    ForeignFileError
        If there is such a file; it stays as it is.
    StoreError
        If the folder can't be written.

    """
    written = _read_record(path.parent)
    digest = hashlib.sha256(content).hexdigest()
    if os.path.lexists(path):
        there = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        if there == digest:
            return path
        if there not in written.get(path.name, ()):
            changed = "that was changed since cellpipe wrote it"
            raise ForeignFileError(
                f"a file {changed if path.name in written else 'that cellpipe did not write'}",
                expected="no file of that name, or cellpipe's own as it was written",
                remedy="move it or give it another name, or choose another folder", file=path,
            )  # fmt: skip
    before = written.get(path.name, [])[-1:]
    record = json.dumps(written | {path.name: [*before, digest]}, indent=1, sort_keys=True)
    write_bytes(path.parent / RECORD, record.encode())  # first: whoever is killed then may repeat
    return write_bytes(path, content)


def _read_record(folder: Path) -> dict[str, list[str]]:
    try:
        return dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
