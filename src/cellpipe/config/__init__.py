"""``cellpipe.toml``: the settings, read strictly."""
