"""What a lab writes itself: the sheet of its cells, and its own baselines."""
