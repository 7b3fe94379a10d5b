"""Choose the lab that a command works on: from ``cellpipe.toml``, or from the command line.

The command line takes precedence, and a note says where it differs from the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from cellpipe.config.settings import LabSettings, Settings
from cellpipe.core.errors import SettingsError
from cellpipe.store.lab import Lab, resolve_lab

LabName = Annotated[str, Field(min_length=1, max_length=1000)]


@dataclass(frozen=True)
class LabChoice:
    """What a command line says about its lab; None leaves it to the settings."""

    folder: Path | None = None
    results: Path | None = None
    time_zone: str | None = None
    also: Sequence[Path] = ()
    ledger_url: str | None = None
    fetch_url: str | None = None
    publish_url: str | None = None


@dataclass
class ChosenLab:
    """A lab, and sentences on what was taken from the settings."""

    lab: Lab
    notes: list[str] = field(default_factory=list)


def lab_from_settings(given: LabSettings) -> Lab:
    """Return the lab of one section of the settings; its paths are absolute already."""
    lab = resolve_lab(
        given.folder, given.results, given.time_zone, given.also,
        ledger_url=given.ledger, fetch_url=given.fetch, publish_url=given.publish,
    )  # fmt: skip
    return replace(lab, name=given.name or "")


def labs_from_settings(settings: Settings) -> tuple[Lab, ...]:
    """Return the labs of the settings, in their order."""
    limits = settings.limits.to_limits()
    return tuple(replace(lab_from_settings(given), limits=limits) for given in settings.lab)


def find_lab(name: str, labs: Sequence[Lab], file: Path | None = None) -> Lab:
    """Return the lab of a name.

    Raises
    ------
    SettingsError
        If none is called so; it says which there are. No folder is looked at.

    """
    found = next((lab for lab in labs if lab.name == name), None)
    if found is None:
        raise SettingsError(
            f"no lab called {name!r}",
            expected=f"one of {', '.join(repr(lab.name) for lab in labs)}",
            remedy="correct the name; the settings say which there are", file=file,
        )  # fmt: skip
    return found


def choose_lab(choice: LabChoice, settings: Settings | None, file: Path) -> ChosenLab:
    """Return the lab that a command works on.

    Parameters
    ----------
    choice
        What the command line says.
    settings, file
        The settings, if there are any, and their file.

    Raises
    ------
    SettingsError
        If neither names the folder, or the results, or the settings have several labs.

    """
    labs = labs_from_settings(settings) if settings else ()
    known = _find_known(choice, labs)
    if known is None and choice.folder is None:
        raise _undecided_error(labs, file)
    if known is not None:
        return _merge(known, choice, file)
    if choice.results is None:
        raise SettingsError(
            "no results folder", expected="one", remedy="add --out RESULTS",
            file=file if settings else None,
        )  # fmt: skip
    assert choice.folder is not None  # noqa: S101 - checked above
    zone = choice.time_zone or (settings.time_zone if settings else None)
    notes = [f"As {file} says: clocks in {zone}."] if zone != choice.time_zone else []
    lab = resolve_lab(
        choice.folder, choice.results, zone, choice.also,
        ledger_url=choice.ledger_url, fetch_url=choice.fetch_url, publish_url=choice.publish_url,
    )  # fmt: skip
    limits = settings.limits.to_limits() if settings else lab.limits
    return ChosenLab(replace(lab, limits=limits), notes)


def _find_known(choice: LabChoice, labs: Sequence[Lab]) -> Lab | None:
    """Return the lab of the settings that a command line names, or None."""
    if choice.folder is None:
        wanted = [lab for lab in labs if choice.results is None or _is_results(lab, choice)]
        return wanted[0] if len(wanted) == 1 else labs[0] if len(labs) == 1 else None
    return next((lab for lab in labs if is_same_place(lab.folder, choice.folder)), None)


def _is_results(lab: Lab, choice: LabChoice) -> bool:
    return choice.results is not None and is_same_place(lab.results, choice.results)


def is_same_place(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same folder, however they are spelt.

    Links are followed, and case is ignored, as it is on some disks.
    """
    one, other = one.resolve(), other.resolve()
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist yet
        return str(one).casefold() == str(other).casefold()


def _merge(known: Lab, choice: LabChoice, file: Path) -> ChosenLab:
    """Return a lab of the settings with the command line's values, and notes on them."""
    wanted: dict[str, object] = {
        "results": choice.results.resolve() if choice.results else None,
        "time_zone": choice.time_zone,
        "also": tuple(each.resolve() for each in choice.also) or None,
        "ledger_url": choice.ledger_url,
        "fetch_url": choice.fetch_url,
        "publish_url": choice.publish_url,
    }
    taken = {name: value for name, value in wanted.items() if value is not None}
    lab = replace(known, **taken)  # type: ignore[arg-type]
    if lab != known:  # the name stands for what the settings say
        lab = replace(lab, name="")
    notes = [
        f"{_OPTIONS[name]} {_format_value(value)} is used, "
        f"not {_format_value(getattr(known, name))} as {file} says."
        for name, value in taken.items()
        if getattr(known, name) and getattr(known, name) != value
    ]
    used = [f"results {lab.results}" if "results" not in taken else ""]
    used += [f"clocks in {lab.time_zone}" if lab.time_zone and "time_zone" not in taken else ""]
    used += [f"also {_format_value(lab.also)}" if lab.also and "also" not in taken else ""]
    if any(used):
        notes.insert(0, f"As {file} says: {', '.join(filter(None, used))}.")
    return ChosenLab(lab, notes)


_OPTIONS = {
    "results": "--out", "time_zone": "--time-zone", "also": "--also", "ledger_url": "--ledger",
    "fetch_url": "--fetch", "publish_url": "--publish",
}  # fmt: skip


def _format_value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _undecided_error(labs: Sequence[Lab], file: Path) -> SettingsError:
    if labs:
        return SettingsError(
            f"{len(labs)} labs in {file}", expected="the one that is meant",
            remedy=f"name its folder: {', '.join(str(lab.folder) for lab in labs)}", file=file,
        )  # fmt: skip
    return SettingsError(
        "no folder", expected="the folder with raw files, or a workspace to be in",
        remedy=f"name the folder and --out RESULTS, or go where {file.name} is",
    )  # fmt: skip
