"""Find records whose values can't be true beside those before and after them."""

from __future__ import annotations

import polars as pl

from cellpipe.core.model import Finding, Rejection

LINE = "_line"  # the column with the number of the line that each record stands in
_DAY = 86_400.0
_LEAP_FORWARD, _LEAP_BACK = 180 * _DAY, 2 * _DAY
_COUNTERS = (
    "capacity_ah",
    "energy_wh",
    "vendor_charging_capacity_ah",
    "vendor_discharging_capacity_ah",
    "vendor_charging_energy_wh",
    "vendor_discharging_energy_wh",
)
_MISSING = ["", "-", "--", "nan", "NaN", "NAN", "N/A", "n/a", "NULL", "null", "None"]  # no value
_MOST_ROWS = 10_000


def unreadable_places(texts: pl.Series, values: pl.Series) -> pl.Series:
    """Return the places where there is a text that stands for a value, and no value."""
    if values.null_count() <= texts.null_count() or texts.dtype != pl.String:
        return pl.Series(dtype=pl.UInt32)
    stripped = texts.str.strip_chars()
    return (values.is_null() & stripped.is_not_null() & ~stripped.is_in(_MISSING)).arg_true()


def place_of(table: pl.DataFrame, row: int) -> str:
    """Return where a record stands: its line in a text, or else its row among the records."""
    return f"line {table[LINE][row]:,}" if LINE in table.columns else f"record {row + 1:,}"


def find_unreadable(
    texts: pl.Series, values: pl.Series, table: pl.DataFrame, what: str, code: str
) -> tuple[Finding, ...]:
    """Return a finding about texts of a column that can't be read."""
    places = unreadable_places(texts, values)
    if not places.len():
        return ()
    first = int(places[0])
    begin = f"One {what} can't" if places.len() == 1 else f"{places.len():,} {what}s can't"
    left, is_first = ("is", "") if places.len() == 1 else ("are", "the first is ")
    sentence = (
        f"{begin} be read and {left} left out: {is_first}{str(texts[first])[:40]!r} in "
        f"{place_of(table, first)}."
    )
    return (Finding("warning", code, sentence, places.len()),)


def find_date_leaps(seconds: pl.Series, table: pl.DataFrame) -> tuple[Finding, ...]:
    """Return a finding about dates (s) that lie far from those of the records beside them."""
    rows = table.select(row=pl.int_range(pl.len()), date=seconds, time=pl.col("test_time_second"))
    rows = rows.with_columns(pl.col("date", "time").cast(pl.Float64).fill_nan(None))
    rows = rows.drop_nulls(["date", "time"])
    change, passed = rows["date"].diff(), rows["time"].diff().fill_null(0.0).clip(0.0)
    leaps = ((change - passed > _LEAP_FORWARD) | (change < -_LEAP_BACK)).arg_true()
    if not leaps.len():
        return ()
    first = int(leaps[0])
    days = abs(float(change[first])) / _DAY
    where = place_of(table, int(rows["row"][first]))
    direction = "forwards" if change[first] > 0 else "back"
    places = "one place" if leaps.len() == 1 else f"{leaps.len():,} places, first"
    sentence = (
        f"The dates leap at {places} by {days:,.0f} days {direction}, in {where}: dates are "
        "damaged, the clock was set, or two tests were joined."
    )
    return (Finding("warning", "dates_leap", sentence, leaps.len()),)


def reject_zero_records(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Reject records of zeros alone between others: their values were overwritten.

    Voltage, current and all counters are 0 at once, while the voltage and a counter of the records
    before and after them are not, or the test time is 0 too.
    """
    counters = [name for name in _COUNTERS if name in table.columns]
    needed = {"voltage_volt", "current_ampere"}
    if not needed <= {*table.columns} or not counters or not (table["voltage_volt"] == 0).any():
        return table, ()
    blank = pl.all_horizontal(
        (pl.col(name).fill_null(0.0) == 0) for name in ("voltage_volt", "current_ampere", *counters)
    )
    counts = pl.any_horizontal(pl.col(name).fill_null(0.0) != 0 for name in counters)
    flags = table.select(
        blank=blank,
        intact=(pl.col("voltage_volt") != 0).fill_null(value=False),
        counts=counts,
        is_untimed=pl.col("test_time_second") == 0
        if "test_time_second" in table.columns
        else pl.lit(value=False),
    )

    def beside(name: str) -> pl.Expr:
        other = pl.when(~pl.col("blank")).then(pl.col(name))
        before, after = other.forward_fill(), other.backward_fill()
        return before.fill_null(value=False) & after.fill_null(value=False)

    damaged = flags.select(
        pl.col("blank") & beside("intact") & (beside("counts") | pl.col("is_untimed"))
    ).to_series()
    damaged = damaged.fill_null(value=False)
    places = damaged.arg_true()
    if not places.len():
        return table, ()
    one = places.len() == 1
    sentence = (
        f"{'One record has' if one else f'{places.len():,} records have'} a voltage, a current and "
        f"counters of exactly 0 between others that have not: {'it is' if one else 'they are'} "
        f"left out ({'' if one else 'the first '}in {place_of(table, int(places[0]))})."
    )
    rejected = _rejected_rows(table, places)
    return table.filter(~damaged), (
        Rejection("warning", "records_of_zeros", sentence, places.len(), rejected=rejected),
    )


def _rejected_rows(table: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    numbers = (
        table["record_index"]
        if "record_index" in table.columns
        else pl.Series([None] * table.height)
    )
    return pl.DataFrame(
        [
            ("timeseries", numbers[place], place_of(table, place), "0", "zeros in all columns")
            for place in places.head(_MOST_ROWS)
        ],
        schema={"table": pl.String, "record_index": pl.Int64, "column": pl.String,
                "value": pl.String, "reason": pl.String},
        orient="row",
    )  # fmt: skip
