"""Read the members of a Neware .ndax and combine them.

An .ndax is a zip archive. ``data.ndc`` holds voltage and current of each record, ``data_runInfo``
times and counters of some of them, ``data_step`` the steps; older versions hold all in the first. A
record between two that have a time gets its time from the interval stated by the earlier one, and
its counters from the charge since then, as BTSDA does. Auxiliary channels are in separate members;
``TestInfo.xml`` states what each measures. fastnda parses the members' bytes; they are read one
after the other, because CPython's zipfile is not thread-safe in some versions.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
import numpy.typing as npt
import polars as pl
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from fastnda._ndc import read_ndc
from fastnda.dicts import AUX_CHL_MAP, AUX_CHL_SCALE_MAP, STEP_TYPE_MAP

from cellpipe.core.errors import DamagedFileError
from cellpipe.core.model import Finding
from cellpipe.formats.neware.ndax_account import (
    TABLES,
    channel_findings,
    lost_times_findings,
    number_findings,
    step_findings,
    times_findings,
)
from cellpipe.formats.neware.pages import Pages, check_pages, has_checksums
from cellpipe.formats.neware.run_info import follows_its_time, is_within, read_run_parts
from cellpipe.formats.tabular.workbook import BROKEN_ZIP

_AUXILIARY = re.compile(r"data_AUX_(\d+)_(\d+)_(\d+)\.ndc$|.*_(\d+)\.ndc$")
_COUNTERS = ("charge_capacity_mAh", "discharge_capacity_mAh", "charge_energy_mWh",
             "discharge_energy_mWh")  # fmt: skip
_XML_FIELDS = {  # our name: member, element, attribute
    "software_version": ("VersionInfo", "ZwjVersion", "CurrClientVer"),
    "server_version": ("VersionInfo", "ZwjVersion", "SvrVer"),
    "serial_number": ("VersionInfo", "ZwjVersion", "ZwjSn"),
    "schedule": ("TestInfo", "TestInfo", "StepName"),
    "started": ("TestInfo", "TestInfo", "StartTime"),
    "ended": ("TestInfo", "TestInfo", "EndTime"),
    "barcode": ("TestInfo", "TestInfo", "Barcode"),
    "current_range_ma": ("TestInfo", "TestInfo", "CurrRange"),
    "comments": ("Step", "Head_Info/Remark", "Value"),
    "active_mass": ("Step", "Head_Info/SCQ", "Value"),
    "creator": ("Step", "Head_Info/Creator", "Value"),
    "part_number": ("Step", "Head_Info/PN", "Value"),
}
_NUMBERED_VERSIONS = {1, 2, 3, 4, 5, 7, 15}  # whose records hold their own numbers
LOCAL_VERSIONS = {1, 2, 3, 4, 5, 7}  # their records hold the computer's local date
_LARGEST_MEMBER, _LARGEST_RATIO = 1 << 26, 300  # real ones are compressed up to 200-fold

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Members:
    """An open archive: the path of each member by its name, and whether its pages have checksums.

    What is found while the members are read is added to ``findings``.
    """

    opened: zipfile.ZipFile
    names: Mapping[str, str]
    is_summed: bool
    findings: list[Finding]


@dataclass(frozen=True)
class Archive:
    """The records in fastnda's columns, and the metadata from the XML members."""

    frame: pl.DataFrame
    metadata: dict[str, object]
    findings: list[Finding] = field(default_factory=list)


def read_archive(path: Path) -> Archive:
    """Read an .ndax.

    Raises
    ------
    DamagedFileError
        If it has no ``data.ndc``, or a member is larger unpacked than a recording can be.

    """
    findings: list[Finding] = []
    with zipfile.ZipFile(path) as opened, warnings.catch_warnings(action="ignore"):
        names = {Path(name).name: name for name in opened.namelist()}
        if TABLES[0] not in names:
            raise DamagedFileError(
                f"an archive with {', '.join(sorted(names)[:6])}",
                expected=f"one with {TABLES[0]}",
                remedy="copy the file again from the instrument",
            )
        first = read_member(opened, names[TABLES[0]])
        members = _Members(opened, names, _has_checksums(opened, names, first), findings)
        raw = _check_member(members, first, TABLES[0])
        main: pl.DataFrame = read_ndc(raw.content)
        if raw.certain is not None and raw.content[2] not in _NUMBERED_VERSIONS:
            main = _leave_out_behind(main, raw.content[: raw.certain], findings)
        total = int(main["index"].max() or 0) if main.height else 0  # type: ignore[arg-type]
        run, step, timed = _read_run_info(members, main, raw)
        described = _read_descriptions(members)
        table = _name_step_types(timed) if run is None else _merge_run_info(timed, run, step)
        if not raw.lost:
            findings += number_findings(main)
            findings += times_findings(timed, table, run)
        findings += step_findings(run, step)
        is_stored = "total_time_s" in table.columns
        table = _add_test_time(table)
        table = table if is_stored else bridge_gaps(table)
        table = _add_auxiliary_channels(table, members, described, total)
    metadata = dict(_metadata(described)) | {"ndc_version": raw.content[2]}
    if run is not None and main.height > run.height:
        metadata["interpolated_records"] = main.height - run.height
    return Archive(table, metadata, findings)


def read_member(opened: zipfile.ZipFile, name: str) -> bytes:
    """Read a member; refuse one that is large and compressed more than data can be."""
    info = opened.getinfo(name)
    if info.file_size > max(_LARGEST_MEMBER, _LARGEST_RATIO * info.compress_size):
        raise DamagedFileError(
            f"a member {name!r} that claims {info.file_size} bytes in {info.compress_size}",
            expected="a Neware archive",
            remedy="copy the file again from the instrument",
        )
    return opened.read(info)


def _has_checksums(opened: zipfile.ZipFile, names: Mapping[str, str], first: bytes) -> bool:
    """Return whether a page of some member has a checksum; ``first`` is the first member."""
    if has_checksums(first):
        return True
    for name in (n for n in names if n.endswith(".ndc") and n != TABLES[0]):
        try:
            if has_checksums(read_member(opened, names[name])):
                return True
        except BROKEN_ZIP:
            continue
    return False


def _read_pages(members: _Members, name: str) -> Pages:
    return _check_member(members, read_member(members.opened, members.names[name]), name)


def _check_member(members: _Members, raw: bytes, name: str) -> Pages:
    pages = check_pages(raw, name, is_summed=members.is_summed)
    members.findings.extend(pages.findings)
    return pages


def _read_run_info(
    members: _Members, main: pl.DataFrame, raw: Pages
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, pl.DataFrame]:
    """Read the times and the steps, and leave out the records whose times are lost."""
    run: pl.DataFrame | None = None
    step: pl.DataFrame | None = None
    if TABLES[1] in members.names:
        run, spans = read_run_parts(_read_pages(members, TABLES[1]))
        last = int(run["index"].max() or 0) if run.height else 0  # type: ignore[arg-type]
        if raw.lost and main.height and last > int(main["index"].max() or 0):  # type: ignore[arg-type]
            main = _leave_out_behind(main, raw.before_loss(), members.findings)
        known = main.filter(~is_within(pl.col("index"), spans))
        known = known.filter(follows_its_time(known["index"], run["index"]))
        members.findings.extend(lost_times_findings(main.height - known.height))
        main = known
    if TABLES[2] in members.names:
        step = read_ndc(_read_pages(members, TABLES[2]).before_loss())
    elif run is not None:
        sentence = f"The archive has no {TABLES[2]}: cycles and kinds of steps are not known."
        members.findings.append(Finding("warning", "member_missing", sentence))
    return run, step, main


def _leave_out_behind(main: pl.DataFrame, certain: bytes, findings: list[Finding]) -> pl.DataFrame:
    """Leave out the records behind damaged pages of which it is not known how many there were."""
    known: pl.DataFrame = read_ndc(certain)
    number = main.height - known.height
    if number > 0:
        sentence = (
            f"The numbers of {number} records behind the damaged place in {TABLES[0]} are not "
            "certain, and with them their times; these records were left out."
        )
        findings.append(Finding("warning", "records_lost", sentence, number))
    return main.filter(pl.col("index") <= (known["index"].max() or 0))


def _merge_run_info(
    data: pl.DataFrame, run: pl.DataFrame, step: pl.DataFrame | None
) -> pl.DataFrame:
    """Add times (s), counters (mA·h, mW·h) and step to each record, from the last stated ones."""
    data = data if data["index"].is_sorted() else data.sort("index")
    run = run.filter(pl.col("index").is_in(data["index"].implode())).sort("index")
    if step is not None:
        extra = [c for c in step.columns if c not in run.columns or c == "step_count"]
        run = run.join(
            _name_step_types(step.select(extra)), on="step_count", how="left", maintain_order="left"
        )
    if not run.height:
        return data.clear().with_columns(run.clear().drop("index"))
    starts = data["index"].search_sorted(run["index"]).to_numpy().astype(np.int64)
    data = data[int(starts[0]) :]
    starts -= starts[0]
    lengths = np.diff(np.append(starts, data.height))
    records_since = np.arange(data.height) - np.repeat(starts, lengths)
    interval = _numbers(run["dt"])
    volt, milliampere = _numbers(data["voltage_V"]), _numbers(data["current_mA"])
    hours = np.repeat(interval / 3600, lengths)
    charge = hours * _sum_since_start(milliampere, starts, lengths)
    energy = hours * _sum_since_start(milliampere * volt, starts, lengths)
    increments = (charge.clip(min=0), -charge.clip(max=0), energy.clip(min=0), -energy.clip(max=0))
    seconds = records_since * np.repeat(interval, lengths)
    columns = {
        name: np.abs(np.repeat(_numbers(run[name]), lengths)) + increment
        for name, increment in zip(_COUNTERS, increments, strict=True)
    } | {
        name: np.repeat(_numbers(run[name]), lengths) + seconds
        for name in ("step_time_s", "unix_time_s")
    }
    others = [c for c in run.columns if c not in columns and c not in {"index", "dt"}]
    repeated = run[np.repeat(np.arange(run.height), lengths)].select(others)
    return data.with_columns(*repeated, **{name: pl.Series(a) for name, a in columns.items()})


def _name_step_types(table: pl.DataFrame) -> pl.DataFrame:
    """Replace the codes of step types by names, unknown ones by null."""
    if "step_type" not in table.columns:
        return table.with_columns(step_type=pl.lit(None, pl.String))
    kind = pl.col("step_type").replace_strict(STEP_TYPE_MAP, default=None, return_dtype=pl.String)
    return table.with_columns(kind)


def _add_test_time(table: pl.DataFrame) -> pl.DataFrame:
    """Add the test time (s) if it is missing: step time plus the lengths of all earlier steps."""
    if "total_time_s" in table.columns:
        return table.with_columns(pl.col("total_time_s").cast(pl.Float64).round(6))
    if "step_time_s" not in table.columns:
        return table.with_columns(total_time_s=pl.lit(None, pl.Float64))
    if "step_count" not in table.columns or not table.height:
        return table.with_columns(total_time_s=pl.lit(None, pl.Float64))
    table = table if table["step_count"].is_sorted() else table.sort("step_count", "index")
    time, step = _numbers(table["step_time_s"]), table["step_count"].fill_null(0).to_numpy()
    begins = np.concatenate(([0], np.flatnonzero(np.diff(step)) + 1))
    longest = np.fmax.reduceat(time, begins)
    before = np.concatenate(([0.0], np.cumsum(longest)[:-1]))
    total = time + np.repeat(before, np.diff(np.append(begins, time.size)))
    return table.with_columns(
        pl.col("step_time_s").round(6), pl.Series("total_time_s", total).round(6)
    )


def bridge_gaps(table: pl.DataFrame) -> pl.DataFrame:
    """Correct the test time behind missing records by the time that passed on the clock.

    It was summed from the lengths of the steps, which are too short where their ends are missing.
    """
    if not {"index", "unix_time_s", "total_time_s"} <= set(table.columns):
        return table
    is_gap = (table["index"].cast(pl.Int64).diff() > 1).fill_null(value=False)
    if not is_gap.any():
        return table
    passed = pl.col("unix_time_s").diff() - pl.col("total_time_s").diff()
    lost = pl.when(pl.lit(is_gap) & (passed > 0)).then(passed).otherwise(0.0).cum_sum()
    return table.with_columns((pl.col("total_time_s") + lost).round(6))


def _numbers(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).to_numpy()


def _sum_since_start(
    values: Floats, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Floats:
    """Return the sums of values since the last record that has a time, without that record's."""
    total = np.cumsum(values)
    return total - np.repeat(total[starts], lengths)


def _read_descriptions(members: _Members) -> dict[str, Element]:
    """Return the ``config`` element of each XML member that can be read."""
    configs: dict[str, Element] = {}
    for part in ("TestInfo", "VersionInfo", "Step"):
        name = members.names.get(f"{part}.xml")
        if name is None:
            continue
        try:
            config = _parse_xml(read_member(members.opened, name)).find("config")
        except (ParseError, DefusedXmlException, ValueError, LookupError, *BROKEN_ZIP):
            sentence = f"{part}.xml is damaged; what it says of the test is missing."
            members.findings.append(Finding("info", "description_damaged", sentence))
            continue
        if config is not None:
            configs[part] = config
    return configs


def _parse_xml(raw: bytes) -> Element:
    """Parse XML that may hold characters outside its declared encoding."""
    declared = re.search(rb'encoding="([^"]+)"', raw[:100])
    encoding = declared[1].decode("ascii", "replace") if declared else "utf-8"
    text = raw.decode("gb18030" if encoding.lower().startswith("gb") else encoding, "replace")
    root: Element = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    return root


def _metadata(described: Mapping[str, Element]) -> Iterator[tuple[str, object]]:
    for name, (part, place, attribute) in _XML_FIELDS.items():
        element = described[part].find(place) if part in described else None
        text = element.get(attribute, "") if element is not None else ""
        if text.strip():
            yield name, text.strip()
    test = described["TestInfo"].find("TestInfo") if "TestInfo" in described else None
    if test is not None and test.get("DevID"):
        parts = (test.get(part, "") for part in ("DevID", "UnitID", "ChlID"))
        yield "channel", "-".join(parts)


def _add_auxiliary_channels(
    table: pl.DataFrame,
    members: _Members,
    described: Mapping[str, Element],
    total: int,
) -> pl.DataFrame:
    """Add the auxiliary channels to the records; their members are in the order of TestInfo."""
    found = sorted((_channel_numbers(n), n) for n in members.names if _channel_numbers(n))
    test = described["TestInfo"].find("TestInfo") if "TestInfo" in described else None
    channels = [child for child in (test if test is not None else ()) if "aux" in child.tag.lower()]
    if len(channels) != len(found):
        sentence = (
            f"The file has {len(found)} auxiliary channels and describes {len(channels)}; "
            "those that don't say what they measure are left out."
        )
        members.findings.append(Finding("warning", "auxiliary_unclear", sentence))
        channels = [Element("Aux") for _ in found]
    for place, ((_, name), channel) in enumerate(zip(found, channels, strict=True)):
        pages = _read_channel(members, name)
        if pages is None or pages.lost[:1] == (pages.page_bytes,):
            continue
        raw: pl.DataFrame = read_ndc(pages.before_loss())
        members.findings.extend(channel_findings(name, raw, total, is_whole=not pages.lost))
        part = _name_auxiliary_columns(raw, channel, place)
        is_aligned = part.height == table.height and part["index"].equals(table["index"])
        table = (
            pl.concat([table, part.drop("index")], how="horizontal")
            if is_aligned
            else table.join(part.unique("index"), on="index", how="left", maintain_order="left")
        )
    return table


def _read_channel(members: _Members, name: str) -> Pages | None:
    try:
        return _read_pages(members, name)
    except BROKEN_ZIP:
        sentence = f"The member {name} is damaged; this auxiliary channel was left out."
        members.findings.append(Finding("warning", "channel_damaged", sentence))
        return None


def _channel_numbers(name: str) -> tuple[int, ...]:
    """Return the numbers in the name of an auxiliary channel's member, none for other members."""
    match = _AUXILIARY.match(name)
    if match is None or name in TABLES:
        return ()
    return tuple(int(number) for number in match.groups(default="0"))


def _name_auxiliary_columns(part: pl.DataFrame, channel: Element, place: int) -> pl.DataFrame:
    """Return a channel's columns under their names, without those of unknown quantity."""
    kind = int(channel.get("ChlType", "0")) if channel.get("ChlType", "").isdigit() else 0
    if "?" in part.columns:
        scale = AUX_CHL_SCALE_MAP.get(kind, 1)
        measured = [(pl.col("?") * scale).alias(AUX_CHL_MAP[kind])] if kind in AUX_CHL_MAP else []
        part = part.select("index", *measured)
    return part.rename({c: f"aux{place}_{c}" for c in part.columns if c != "index"})
