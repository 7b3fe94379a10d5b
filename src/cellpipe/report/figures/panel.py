"""Render a figure for a page: inline SVG with a caption, or a sentence why there is none."""

from __future__ import annotations

import html
import io
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG

from cellpipe.report.figures.style import RC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# matplotlib's settings belong to the whole process: only one figure may be drawn at a time.
_PLOT_LOCK = threading.Lock()


@dataclass(frozen=True)
class Panel:
    """One figure of a page: ``draw`` makes it, or ``absent`` says why there is none.

    ``failed``: there may be data for it, but it could not be made. ``caption`` is shown below it;
    ``description`` is its text for screen readers.
    """

    key: str
    title: str
    caption: str = ""
    description: str = ""
    draw: Callable[[], Figure] | None = None
    absent: str = ""
    failed: bool = False

    @cached_property
    def picture(self) -> str:
        """The figure as SVG to embed in a page; empty if there is none."""
        return "" if self.draw is None else render_svg(self.key, self.description, self.draw)


@contextmanager
def plot_style(rc: Mapping[Any, Any] = RC) -> Iterator[None]:
    """Apply the project's plot style, to one figure at a time."""
    with _PLOT_LOCK, mpl.rc_context(dict(rc)):
        yield


def render_svg(key: str, description: str, draw: Callable[[], Figure]) -> str:
    """Draw a figure in the project's style and return it as SVG to embed in a page.

    Ids are prefixed with ``key``, so that figures of one page can't refer to each other's; date,
    creator and document type are left out, so that the same figure gives the same bytes.
    """
    with plot_style():
        figure = draw()
        buffer = io.StringIO()
        # Not savefig: with a layout engine it draws everything twice.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{key}-", text)
    text = re.sub(r"\n\s*", "\n", text)
    label = html.escape(description, quote=True)
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
