"""What the impedance spectra of a file say about themselves: order, repetition, size, points."""

from __future__ import annotations

import numpy as np
import polars as pl

from cellpipe.core.model import Finding
from cellpipe.core.recordings.impedance_parts import part_findings
from cellpipe.core.recordings.order import number_findings
from cellpipe.core.recordings.records import Flags, Floats

_FEWEST = 8  # frequencies, below which a spectrum has no order
_FEWEST_POINTS = 5
_MOST = 0.5
_LARGEST, _SMALLEST = 1e10, 1e-7  # Ω; no cell's impedance is beyond
_DECADES = 1.0  # that a point is off, at least
_KILO = 1000.0
_PERIODS = 0.5  # that a point takes at least
_PARTS = ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm")


def spectrum_findings(table: pl.DataFrame) -> list[Finding]:
    """Return what contradicts itself in the impedance spectra of a file.

    Parameters
    ----------
    table
        An ``impedance``.

    Returns
    -------
    list of Finding
        Warnings, each with what was found and the likely slip. None where nothing contradicts.

    """
    if table.height < 2:
        return []
    numbers = table["spectrum"].to_numpy()
    frequency, real, imaginary = (table[name].to_numpy() for name in _PARTS)
    begins = np.append(0, np.flatnonzero(np.diff(numbers)) + 1)
    doubled = _doubled_findings(table)
    return [
        *(doubled or number_findings(table)),
        *_spectrum_number_findings(numbers),
        *([] if doubled else _order_findings(frequency, begins)),
        *_size_findings(np.hypot(real, imaginary)),
        *part_findings(frequency, real, imaginary, begins),
        *_point_findings(table, np.hypot(real, imaginary), begins),
        *_time_findings(table.drop_nulls("test_time_second")),
        *_pace_findings(table),
    ]


def _doubled_findings(table: pl.DataFrame) -> list[Finding]:
    if table.height < _FEWEST:
        return []
    doubles = table.height - table.select(_PARTS).n_unique()
    if doubles < 0.8 * table.height / 2:
        return []
    sentence = (
        f"{doubles:,} of {table.height:,} points repeat another one in frequency and impedance. "
        "Was the file put together from one twice?"
    )
    return [Finding("warning", "records_doubled", sentence, doubles)]


def _spectrum_number_findings(numbers: Floats) -> list[Finding]:
    steps = np.diff(numbers)
    back, gaps = int((steps < 0).sum()), np.flatnonzero(steps > 1)
    if back:
        at = int(np.argmax(steps < 0))
        sentence = (
            f"The spectrum numbers go back at {back:,} places; first, spectrum {numbers[at + 1]} "
            f"follows spectrum {numbers[at]}. Are rows out of order?"
        )
        return [Finding("warning", "spectrum_numbers_go_back", sentence, back)]
    if gaps.size:
        missing, at = int((steps[gaps] - 1).sum()), int(gaps[0])
        sentence = (
            f"Spectrum {numbers[at + 1]} follows spectrum {numbers[at]}; by the numbers, "
            f"{missing:,} spectra are missing. Were they left out?"
        )
        return [Finding("warning", "spectra_missing", sentence, missing)]
    return []


def _is_disordered(frequency: Floats) -> bool:
    """Return whether frequencies go to and fro like shuffled ones, neither up nor down."""
    steps = np.sign(np.diff(frequency))
    steps = steps[steps != 0]
    if steps.size < _FEWEST - 1 or (steps[1:] != steps[:-1]).mean() <= _MOST:
        return False
    places = np.argsort(np.argsort(frequency))
    return bool(abs(np.corrcoef(places, np.arange(places.size))[0, 1]) < _MOST)


def _order_findings(frequency: Floats, begins: Floats) -> list[Finding]:
    if frequency.size < _FEWEST:
        return []
    steps = np.diff(frequency)
    turns = steps[1:] * steps[:-1] < 0
    turns[begins[1:] - 2] = turns[np.minimum(begins[1:], turns.size) - 1] = False
    if np.count_nonzero(turns) < _FEWEST / 2 and begins.size < frequency.size / _FEWEST_POINTS:
        return []
    spectra = np.split(frequency, begins[1:])
    count = sum(spectrum.size for spectrum in spectra if _is_disordered(spectrum))
    are_many = np.unique(frequency).size > _MOST * frequency.size
    if not count and begins.size > 1 and are_many and _is_disordered(frequency):
        count = frequency.size  # a few points at a time were taken for a spectrum
    if not count:
        return []
    sentence = (
        f"The frequencies of {count:,} points stand in no order, neither up nor down: "
        f"{', '.join(f'{value:.4g}' for value in frequency[:4])} Hz and so on. Were rows sorted by "
        "another column?"
    )
    return [Finding("warning", "frequencies_out_of_order", sentence, count)]


def _size_findings(sizes: Floats) -> list[Finding]:
    size = float(np.median(sizes))
    if _SMALLEST <= size <= _LARGEST:
        return []
    sentence = (
        f"Half of the impedances are {'above' if size > 1 else 'below'} {size:.3g} Ω, which no "
        "cell has. Check the unit, and which columns they are."
    )
    return [Finding("warning", "impedance_absurd", sentence, sizes.size)]


def _point_findings(table: pl.DataFrame, sizes: Floats, begins: Floats) -> list[Finding]:
    """Return a finding if one point of a spectrum is decades off from its neighbours."""
    logs = np.log10(np.maximum(sizes, 1e-300))
    sweep = np.repeat(np.arange(begins.size), np.diff(np.append(begins, logs.size)))
    order = np.lexsort((table["frequency_hertz"].to_numpy(), sweep))
    if np.abs(np.diff(logs[order])).max() <= _DECADES:
        return []
    rows = []
    for begin, end in zip(begins, np.append(begins[1:], logs.size), strict=True):
        at = _find_alone(logs[order[begin:end]])
        if at is not None:
            rows.append((int(order[begin + at]), int(order[begin + (at - 1 if at else 1)])))
    if not rows:
        return []
    row, near = rows[0]
    sentence = (
        f"The impedance at {table['frequency_hertz'][row]:.4g} Hz (record "
        f"{table['record_index'][row]:,}) is {sizes[row]:.3g} Ω, that of the frequency beside it "
        f"{sizes[near]:.3g} Ω. Is it a disturbed point, or a slip?"
    )
    more = f" It is so in {len(rows) - 1:,} other spectra." if rows[1:] else ""
    return [Finding("warning", "impedance_spike", sentence + more, len(rows))]


def _find_alone(logs: Floats) -> int | None:
    """Return the point that is decades off from both its neighbours, at an end from the next."""
    if logs.size < _FEWEST_POINTS:
        return None
    change = np.diff(logs)
    far = np.minimum(np.abs(change[1:]), np.abs(change[:-1]))
    far[change[1:] * change[:-1] >= 0] = 0.0
    far = np.concatenate(([abs(change[0]) - _DECADES], far, [abs(change[-1]) - _DECADES]))
    at = int(np.argmax(far))
    others = np.delete(np.abs(change), [each for each in (at - 1, at) if 0 <= each < change.size])
    return at if far[at] > max(_DECADES, 2 * float(others.max())) else None


def _time_findings(table: pl.DataFrame) -> list[Finding]:
    """Return a finding if time goes back within a spectrum; each may begin its own at 0."""
    time, numbers = table["test_time_second"].to_numpy(), table["spectrum"].to_numpy()
    back = (time[1:] < time[:-1]) & (numbers[1:] == numbers[:-1])
    number = int(np.count_nonzero(back))
    if not number:
        return []
    sentence = (
        f"The test time goes backwards within a spectrum {number:,} times. Are rows out of order?"
    )
    return [Finding("warning", "time_goes_backwards", sentence, number)]


def _pace_findings(table: pl.DataFrame) -> list[Finding]:
    """Return a finding if points take far less than a period: then the frequencies are in kHz."""
    if table["test_time_second"].null_count() or table.height < _FEWEST:
        return []
    passed = np.diff(table["test_time_second"].to_numpy())
    same: Flags = np.diff(table["spectrum"].to_numpy()) == 0
    periods = 1 / table["frequency_hertz"].to_numpy()[1:]
    long = same & (periods >= np.quantile(periods, 0.8)) & (passed > 0)
    if long.sum() < 2:
        return []
    took = passed[long] / periods[long]
    if took.max() > 20 * _PERIODS / _KILO or np.median(took) * _KILO < _PERIODS:
        return []
    sentence = (
        f"A period at the lowest frequencies takes {periods[long].max():.4g} s, but the points "
        f"are {np.median(passed[long]):.4g} s apart. Are the frequencies in kHz?"
    )
    return [Finding("warning", "frequency_in_kilohertz", sentence, table.height)]
