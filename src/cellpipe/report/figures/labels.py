"""Place labels so that they overlap neither each other nor the points."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 5.0, -5.0, 6.0, -6.0)


@dataclass(frozen=True)
class Box:
    """A rectangle, in points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """Return whether the two rectangles overlap."""
        apart = (
            self.right <= other.left
            or other.right <= self.left
            or self.top <= other.bottom
            or other.top <= self.bottom
        )
        return not apart

    def is_inside(self, other: Box) -> bool:
        """Return whether this rectangle lies entirely within the other."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def place_labels(
    anchors: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    frame: Box,
    gap: float = 7.0,
) -> list[Box]:
    """Return a box for each label beside its anchor: right, then left, then ever higher and lower.

    Parameters
    ----------
    anchors, sizes
        Points to label (x, y), and width and height of each label, in points (1/72 inch).
    obstacles
        Boxes that no label may overlap; labels already placed are added.
    frame
        Box that every label must lie in. If no place is free, the first to the right is used.
    gap
        Distance between anchor and label, in points.

    """
    occupied = list(obstacles)
    placed = []
    for (x, y), (width, height) in zip(anchors, sizes, strict=True):
        candidates = [
            Box(left, y + step * height - height / 2, left + width, y + step * height + height / 2)
            for step, left in itertools.product(_STEPS, (x + gap, x - gap - width))
        ]
        free = (
            box
            for box in candidates
            if box.is_inside(frame) and not any(box.overlaps(other) for other in occupied)
        )
        chosen = next(free, candidates[0])
        occupied.append(chosen)
        placed.append(chosen)
    return placed
