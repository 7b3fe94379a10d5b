"""``python -m cellpipe``."""

import sys
from pathlib import Path

if not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).parents[1]:
    del sys.path[0]  # the working directory, which may be a folder with raw files

from cellpipe.cli.main import main

raise SystemExit(main())
