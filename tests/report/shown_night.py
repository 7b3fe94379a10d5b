"""Hold the counts of a digest, and its lines, against the ledger's events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shown_parts import plain

from cellpipe.store.history import Event

Alarms = Sequence[tuple[str, str]]  # cell and sentence


def night_faults(texts: Sequence[str], events: Sequence[Event], alarms: Alarms) -> Iterator[str]:
    """Return the counts that are not those of the events, and the alarms that are not shown.

    ``alarms`` are all that the digest is about; ``texts`` its sentences, or its lines.
    """
    read = len({event.subject for event in events if event.event == "read"})
    counts = {r"(\d+) files? read": read, r"(\d+) alarms?\b": len(alarms)}
    for pattern, wanted in counts.items():
        shown = {int(number) for text in texts for number in re.findall(pattern, text)}
        if shown - {wanted}:
            yield f"{pattern} is shown as {shown}, there are {wanted}"
    whole = {plain(text) for text in texts}
    for cell_id, sentence in alarms:
        if plain(f"{cell_id}: {sentence}") not in whole:
            yield f"the alarm {sentence!r} of {cell_id} is not shown"


def section_faults(text: str) -> Iterator[str]:
    """Return the sections of a digest in plain text that do not have as many lines as they say."""
    for title, number, lines in re.findall(r"(?m)^([A-Z][^\n(]*) \((\d+)\):\n((?:  .*\n)+)", text):
        if len(lines.splitlines()) != int(number):
            yield f"{title} says {number}, and has {len(lines.splitlines())} lines"
