"""Pages of a cell, of several cells and of the lab."""
