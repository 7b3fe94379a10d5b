"""Hold the members of an .ndax against each other: records, times, steps, auxiliary channels."""

from __future__ import annotations

import polars as pl

from cellpipe.core.model import Finding

TABLES = ("data.ndc", "data_runInfo.ndc", "data_step.ndc")


def lost_times_findings(number: int) -> list[Finding]:
    """Report records without a known time."""
    if not number:
        return []
    sentence = (
        f"The times of {number} records can't be known, because what they follow from is on a "
        "damaged page; these records were left out."
    )
    return [Finding("warning", "records_lost", sentence, number)]


def number_findings(main: pl.DataFrame) -> list[Finding]:
    """Report numbers between the records' that none has, and those that several have."""
    if not main.height:
        return []
    findings = []
    numbers = main["index"].unique()
    missing = int(numbers.max() or 0) - numbers.len()  # type: ignore[arg-type]
    if missing > 0:
        sentence = f"By the numbers of the records, {missing} are missing between the others."
        findings.append(Finding("warning", "records_missing", sentence, missing))
    twice = main.height - numbers.len()
    if twice:
        sentence = f"{twice} records have the number of another one."
        findings.append(Finding("warning", "records_repeated", sentence, twice))
    return findings


def times_findings(
    main: pl.DataFrame, table: pl.DataFrame, run: pl.DataFrame | None
) -> list[Finding]:
    """Report times without a record, and records at the beginning without a time."""
    if run is None:
        return []
    without = run.filter(~pl.col("index").is_in(main["index"].implode())).height
    left_out = main.height - table.height
    if not (without or left_out):
        return []
    sentence = (
        f"{without} records are missing in {TABLES[0]} whose times {TABLES[1]} holds, and the "
        f"times of the first {left_out} records are missing there: one of both is damaged."
    )
    return [Finding("warning", "records_lost", sentence, without + left_out)]


def step_findings(run: pl.DataFrame | None, step: pl.DataFrame | None) -> list[Finding]:
    """Report steps that records have and that the table of steps does not."""
    if run is None or step is None or not run.height:
        return []
    missing = int(run["step_count"].max() or 0) - step.height  # type: ignore[arg-type]
    if missing <= 0:
        return []
    sentence = (
        f"{TABLES[2]} describes {step.height} of {missing + step.height} steps; the cycles and "
        "kinds of the others are not known."
    )
    return [Finding("warning", "steps_missing", sentence, missing)]


def channel_findings(
    name: str, channel: pl.DataFrame, total: int, *, is_whole: bool
) -> list[Finding]:
    """Compare the number of an auxiliary channel's values with that of the records."""
    if not is_whole or not channel.height or channel["index"].max() == total:
        return []
    sentence = (
        f"The member {name} has values of {channel.height} records where the test has {total}: one "
        "of both is damaged."
    )
    return [Finding("warning", "channel_damaged", sentence, abs(total - channel.height))]
