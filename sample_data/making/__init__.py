"""How the sample lab is made: physics of the cells, their protocols, and the vendors' layouts.

The order of the floors: `curves` and `noise`, then `chemistry` and `impedance`, then `protocol`
(physics into records), then one writer per vendor format, then `lab` (which cell is what).
"""
