"""Whether a file holds as many bytes as its format says it must: a guard against half a copy.

Four of seven formats are read short without a word by most readers. What each format tells of its
own length is little, but enough to wait: a file that seems cut is waited for longer, never refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from cellpipe.formats import registry
from cellpipe.formats.file_ends import PARQUET, ZIP, is_complete_parquet, is_complete_zip
from cellpipe.formats.format import Format, Sample
from cellpipe.formats.recognition import HEAD_BYTES, claiming_formats
from cellpipe.system.regular_files import open_regular

_Check = Callable[[BinaryIO, int], bool]
_BY_HEAD: tuple[tuple[bytes, _Check], ...] = (
    (ZIP, is_complete_zip),
    (PARQUET, is_complete_parquet),
)


def is_complete(path: Path) -> bool:
    """Return whether a file ends where its format says.

    The formats that use its suffix are asked; where they differ, the one that claims its first
    bytes, and all of them as long as none does. A zip or a parquet file under a suffix of which no
    format says anything is held against its own end.

    Raises
    ------
    OSError
        If it can't be opened.

    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(HEAD_BYTES)
        checks = _suffix_checks(Sample(path, head)) or [
            check for start, check in _BY_HEAD if head.startswith(start)
        ]
        return all(_passes(check, stream, size) for check in checks)


def _suffix_checks(sample: Sample) -> list[_Check]:
    """Return what the formats of a file's suffix hold it against; nothing where none says how."""
    forms = registry.formats_of_name(sample.path.name)
    if len({form.is_complete for form in forms}) > 1:
        claiming = claiming_formats(forms, sample)
        forms = tuple(claiming) if len(claiming) == 1 else forms
    return _checks_of(forms)


def _checks_of(forms: tuple[Format, ...]) -> list[_Check]:
    return list(dict.fromkeys(form.is_complete for form in forms if form.is_complete))


def _passes(check: _Check, stream: BinaryIO, size: int) -> bool:
    """Return what a check says; one that raises has not seen the end."""
    stream.seek(0)
    try:
        return check(stream, size)
    except OSError:
        raise
    except Exception:  # a package's code, given untrusted bytes, may raise anything
        return False
