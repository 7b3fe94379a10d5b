"""The settings of ``cellpipe.toml``, read strictly."""
