"""Mathematics on bare arrays: no tables, no files. Formula, units and source in each docstring."""
