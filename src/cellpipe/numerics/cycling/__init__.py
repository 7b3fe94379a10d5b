"""Numerics of cycling data on plain arrays: runs, charge, ageing, dQ/dV."""
