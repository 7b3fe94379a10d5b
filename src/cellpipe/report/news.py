"""What is new to the results since yesterday: alarms, cells, files, and files that are bad."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class News:
    """What the results first held in the last day, whatever the dates of the files.

    ``window`` says in words since when. ``dying`` are cells with a new alarm, ``cells`` those that
    are new, ``grown`` known ones with new files, of which there are ``files``; ``bad`` are paths of
    new files that were set aside. ``until`` is when the first of all that is no longer new.
    """

    window: str
    dying: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    grown: tuple[str, ...] = ()
    files: int = 0
    bad: tuple[str, ...] = ()
    until: datetime | None = field(default=None, compare=False, repr=False)  # no page shows it

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing new."""
        return not (self.dying or self.cells or self.grown or self.bad)
