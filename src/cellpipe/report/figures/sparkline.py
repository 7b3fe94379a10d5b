"""Draw a curve at the size of a word (a sparkline) as SVG."""

from __future__ import annotations

import html

import numpy as np

from cellpipe.report.figures.choice import downsample_indices
from cellpipe.report.figures.style import BLUE

_WIDTH, _HEIGHT, _EDGE = 110.0, 26.0, 3.0


def sparkline(x: np.ndarray, y: np.ndarray, label: str) -> str:
    """Return ``y`` against ``x`` as SVG, from zero up; empty text if no value is finite."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if not y.size:
        return ""
    kept = downsample_indices(y, 40)
    x_pixel = _EDGE + (_WIDTH - 2 * _EDGE) * (x[kept] - x[0]) / max(float(x[-1] - x[0]), 1.0)
    y_pixel = _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * y[kept] / max(float(y.max()), 1e-30)
    pixels = zip(x_pixel.tolist(), y_pixel.tolist(), strict=True)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in pixels)
    escaped_label = html.escape(label, quote=True)
    return (
        f'<svg role="img" aria-label="{escaped_label}" class="spark" width="{_WIDTH:g}" '
        f'height="{_HEIGHT:g}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">'
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="1.4"/>'
        f'<circle cx="{x_pixel[-1]:.1f}" cy="{y_pixel[-1]:.1f}" r="2.2" fill="{BLUE}"/></svg>'
    )
