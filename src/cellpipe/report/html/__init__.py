"""Write the pages of a cell, of several cells and of the lab."""
