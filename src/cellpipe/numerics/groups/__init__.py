"""Statistics of cells that share something: outliers, differences of groups, times to a limit."""
