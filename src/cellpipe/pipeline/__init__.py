"""From raw files to results: the steps of a run, a module each."""
