"""Check names of time zones, and suggest one for a name that is not known."""

from __future__ import annotations

import difflib
import zoneinfo

from cellpipe.core.errors import CellpipeError

EXPECTED = "an IANA name such as Europe/Berlin"


def is_time_zone(name: str) -> bool:
    """Return whether a name is exactly an IANA time zone's, in upper and lower case too."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name in zoneinfo.available_timezones()  # some file systems ignore case


def suggest_time_zone(name: str) -> str:
    """Return which zone may be meant, by its whole name or its place, or how to name one."""
    known = {zone.casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
    places = [zone for zone in known if not zone.startswith("etc/")]  # Etc/GMT+1 is west of UTC
    by_place = {zone.rpartition("/")[2]: zone for zone in places}
    wanted = name.strip().casefold().replace(" ", "_")
    is_distinctive = len(wanted) > 4 and not any(letter.isdigit() for letter in wanted)
    cutoff = 0.8 if is_distinctive else 1.0  # MEZ is close to MET, GMT+1 to GMT+0
    whole = difflib.get_close_matches(wanted, known, 1, cutoff)
    place = difflib.get_close_matches(wanted.rpartition("/")[2], by_place, 1, cutoff)
    for match in (*whole, *(by_place[one] for one in place)):
        return f"write {known[match]}, if that is meant"
    return "name continent and city, as America/New_York, or UTC"


def check_time_zone(name: str) -> None:
    """Refuse a name that is not a time zone's.

    Raises
    ------
    CellpipeError
        With the zone that may be meant as its remedy.

    """
    if not is_time_zone(name):
        raise CellpipeError(
            f"the time zone {name!r}", expected=EXPECTED, remedy=suggest_time_zone(name)
        )
