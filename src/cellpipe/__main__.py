"""``python -m cellpipe``."""

from cellpipe.cli.main import main

raise SystemExit(main())
