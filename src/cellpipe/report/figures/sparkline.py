"""A curve as small as a word, as SVG."""

from __future__ import annotations

import html

import numpy as np

from cellpipe.report.figures.choice import downsample_indices
from cellpipe.report.figures.style import BLUE

_WIDTH, _HEIGHT, _EDGE = 110.0, 26.0, 3.0


def sparkline(x: np.ndarray, y: np.ndarray, label: str) -> str:
    """Draw ``y`` against ``x`` from zero up; no values give no picture."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if not y.size:
        return ""
    kept = downsample_indices(y, 40)
    across = _EDGE + (_WIDTH - 2 * _EDGE) * (x[kept] - x[0]) / max(float(x[-1] - x[0]), 1.0)
    up = _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * y[kept] / max(float(y.max()), 1e-30)
    ends = zip(across.tolist(), up.tolist(), strict=True)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in ends)
    named = html.escape(label, quote=True)
    return (
        f'<svg role="img" aria-label="{named}" class="spark" width="{_WIDTH:g}" '
        f'height="{_HEIGHT:g}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">'
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="1.4"/>'
        f'<circle cx="{across[-1]:.1f}" cy="{up[-1]:.1f}" r="2.2" fill="{BLUE}"/></svg>'
    )
