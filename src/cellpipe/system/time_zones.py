"""Names of time zones: which is known, and which may be meant by one that is not."""

from __future__ import annotations

import difflib
import zoneinfo

from cellpipe.core.errors import CellpipeError

EXPECTED = "an IANA name such as Europe/Berlin"


def is_time_zone(name: str) -> bool:
    """Return whether a name is one of the IANA's, letter for letter."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name in zoneinfo.available_timezones()  # some disks tell no a from A


def suggest_time_zone(name: str) -> str:
    """Say which zone may be meant, by its whole name or by its place, or how one is named."""
    known = {zone.casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
    places = [zone for zone in known if not zone.startswith("etc/")]  # Etc/GMT+1 is west of UTC
    by_place = {zone.rpartition("/")[2]: zone for zone in places}
    wanted = name.strip().casefold().replace(" ", "_")
    telling = len(wanted) > 4 and not any(letter.isdigit() for letter in wanted)
    sure = 0.8 if telling else 1.0  # MEZ is near to MET, GMT+1 to GMT+0
    whole = difflib.get_close_matches(wanted, known, 1, sure)
    place = difflib.get_close_matches(wanted.rpartition("/")[2], by_place, 1, sure)
    for found in (*whole, *(by_place[one] for one in place)):
        return f"write {known[found]}, if that is meant"
    return "name continent and city, as America/New_York, or UTC"


def check_time_zone(name: str) -> None:
    """Refuse what is no name of a time zone.

    Raises
    ------
    CellpipeError
        That says which may be meant.

    """
    if not is_time_zone(name):
        raise CellpipeError(
            f"the time zone {name!r}", expected=EXPECTED, remedy=suggest_time_zone(name)
        )
