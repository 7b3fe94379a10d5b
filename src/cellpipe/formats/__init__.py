"""Raw bytes to measurements: one module per vendor format, and the tuple that lists them.

A new format is one file and one line in :data:`cellpipe.formats.registry.FORMATS`
(docs/add-a-format.md); a package outside adds one through the entry point group
``cellpipe.formats``.
"""

from __future__ import annotations

from cellpipe.formats.completeness import is_complete as is_complete
from cellpipe.formats.format import Format as Format
from cellpipe.formats.format import Sample as Sample
from cellpipe.formats.format import Statement as Statement
from cellpipe.formats.reader import parts as parts
from cellpipe.formats.reader import raw_file as raw_file
from cellpipe.formats.reader import raw_part as raw_part
from cellpipe.formats.reader import read as read
from cellpipe.formats.reader import read_raw as read_raw
from cellpipe.formats.recognition import HEAD_BYTES as HEAD_BYTES
from cellpipe.formats.recognition import find_format as find_format
from cellpipe.formats.registry import FORMATS as FORMATS
from cellpipe.formats.registry import all_formats as all_formats
from cellpipe.formats.registry import companion_paths as companion_paths
from cellpipe.formats.registry import has_foreign_suffix as has_foreign_suffix
from cellpipe.formats.registry import has_known_suffix as has_known_suffix
from cellpipe.formats.registry import known_suffixes as known_suffixes
