"""How Sphinx builds the site of this folder: ``make docs``."""

from __future__ import annotations

import cellpipe

project = "cellpipe"
author = "the cellpipe authors"
project_copyright = "the cellpipe authors, GPL-3.0-or-later"
release = version = cellpipe.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # links such as tables.md#cycles
nitpicky = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False

html_theme = "furo"
html_title = f"cellpipe {release}"
html_copy_source = False
html_show_sphinx = False
