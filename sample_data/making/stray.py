"""A table that a logger beside the cyclers wrote: it has a data suffix but is no test."""

from datetime import datetime, timedelta

from .noise import bell_numbers


def glovebox_log() -> bytes:
    """Two days of a glove box: water and oxygen in ppm, pressure in mbar, every 10 minutes."""
    begun = datetime.fromisoformat("2025-06-02T08:00")
    noise = bell_numbers(99, 3 * 288).reshape(3, -1)
    lines = ["Timestamp,H2O (ppm),O2 (ppm),Box pressure (mbar)"]
    for number in range(288):
        opened = 1.0 if number % 144 in (12, 13, 40, 41, 42) else 0.0
        water = 0.30 + 0.9 * opened + 0.02 * float(noise[0, number])
        oxygen = 0.20 + 1.6 * opened + 0.02 * float(noise[1, number])
        pressure = 3.0 - 1.4 * opened + 0.1 * float(noise[2, number])
        moment = begun + timedelta(minutes=10 * number)
        lines.append(f"{moment:%Y-%m-%d %H:%M},{water:.2f},{oxygen:.2f},{pressure:.1f}")
    return ("\n".join(lines) + "\n").encode()
