"""The mathematics of impedance on bare arrays: circuits, fits, series, growth."""
