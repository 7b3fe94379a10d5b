"""The mathematics of cycling on bare arrays: runs, charge, ageing, dQ/dV."""
