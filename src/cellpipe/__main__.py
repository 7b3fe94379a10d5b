"""``python -m cellpipe``."""

from cellpipe.cli import main

raise SystemExit(main())
