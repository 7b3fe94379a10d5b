"""Say what is wrong in ``cellpipe.toml``; what is written there is not repeated."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cellpipe.core.errors import SettingsError


def _suggestion(place: Sequence[object], names: Sequence[str]) -> str:
    """Return a question whether a setting of a similar name is meant, or an empty text."""
    close = difflib.get_close_matches(str(place[-1]), names, 1, 0.75)
    return f"did you mean {close[0]}? " if close else ""


def settings_error(error: ValidationError, path: Path, names: Sequence[str]) -> SettingsError:
    """Return an error that says which setting is wrong, without a text that may be a secret.

    ``names`` are those of all settings, of which one may be meant.
    """
    first: Any = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *parents, name = first["loc"]
        where = ".".join(map(str, parents)) or "the settings"
        known = re.fullmatch(r"[a-z_]{1,24}", str(name), re.IGNORECASE)
        return SettingsError(
            f"the setting {place}, which is not known" if known
            else f"a setting in {where} that is not known",
            expected="one that is",
            remedy=f"{_suggestion(first['loc'], names)}cellpipe serve --example prints all of them",
            file=path,
        )  # fmt: skip
    return SettingsError(
        f"{_describe(first)} for {place}",
        expected=str(first["msg"]).removeprefix("Value error, "),
        remedy="correct it", file=path,
    )  # fmt: skip


def _describe(fault: Any) -> str:
    """Return what was given for a setting, without repeating a text."""
    if fault["type"] == "missing":
        return "nothing"
    given = fault["input"]
    if isinstance(given, bool | int | float) and not {"hand_on", "notify"} & {*fault["loc"]}:
        return repr(given)
    kinds: dict[type, str] = {str: "another text", list: "a list", tuple: "a list", dict: "a table"}
    return kinds.get(type(given), "something else")
