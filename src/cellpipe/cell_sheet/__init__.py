"""Files written by a lab: the sheet of its cells, and its own baselines."""
