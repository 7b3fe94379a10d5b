"""Other analyses than the built-in ones, for a test."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cellpipe import analyses
from cellpipe.analyses import registry
from cellpipe.core.model import Analysis


def use_analyses(monkeypatch: pytest.MonkeyPatch, chain: Iterable[Analysis]) -> None:
    """Let these be all analyses that there are."""
    found = tuple(chain)
    for module in (analyses, registry):
        monkeypatch.setattr(module, "all_analyses", lambda: found)
