"""Write the workbooks of a cell and of the lab."""
