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

_TABLES = ("data.ndc", "data_runInfo.ndc", "data_step.ndc")
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
LOCAL_VERSIONS = {1, 2, 3, 4, 5, 7}  # their records hold the computer's local date
_LARGEST_MEMBER, _LARGEST_RATIO = 1 << 26, 300  # real ones are compressed up to 200-fold

Floats = npt.NDArray[np.float64]


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
        if _TABLES[0] not in names:
            raise DamagedFileError(
                f"an archive with {', '.join(sorted(names)[:6])}",
                expected=f"one with {_TABLES[0]}",
                remedy="copy the file again from the instrument",
            )
        raw = read_member(opened, names[_TABLES[0]])
        main: pl.DataFrame = read_ndc(raw)
        run, step = (_read_table(opened, names[n]) if n in names else None for n in _TABLES[1:])
        described = _read_descriptions(opened, names, findings)
        table = _name_step_types(main) if run is None else _merge_run_info(main, run, step)
        table = _add_test_time(table)
        table = _add_auxiliary_channels(table, opened, names, described, findings)
    metadata = dict(_metadata(described)) | {"ndc_version": raw[2]}
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


def _read_table(opened: zipfile.ZipFile, name: str) -> pl.DataFrame:
    table: pl.DataFrame = read_ndc(read_member(opened, name))
    return table


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


def _numbers(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).to_numpy()


def _sum_since_start(
    values: Floats, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Floats:
    """Return the sums of values since the last record that has a time, without that record's."""
    total = np.cumsum(values)
    return total - np.repeat(total[starts], lengths)


def _read_descriptions(
    opened: zipfile.ZipFile, names: Mapping[str, str], findings: list[Finding]
) -> dict[str, Element]:
    """Return the ``config`` element of each XML member that can be read."""
    configs: dict[str, Element] = {}
    for part in ("TestInfo", "VersionInfo", "Step"):
        name = names.get(f"{part}.xml")
        if name is None:
            continue
        raw = read_member(opened, name)
        try:
            config = _parse_xml(raw).find("config")
        except (ParseError, DefusedXmlException, ValueError, LookupError):
            sentence = f"{part}.xml is damaged; what it says of the test is missing."
            findings.append(Finding("info", "description_damaged", sentence))
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
    opened: zipfile.ZipFile,
    names: Mapping[str, str],
    described: Mapping[str, Element],
    findings: list[Finding],
) -> pl.DataFrame:
    """Add the auxiliary channels to the records; their members are in the order of TestInfo."""
    members = sorted((_channel_numbers(name), name) for name in names if _channel_numbers(name))
    test = described["TestInfo"].find("TestInfo") if "TestInfo" in described else None
    channels = [child for child in (test if test is not None else ()) if "aux" in child.tag.lower()]
    if len(channels) != len(members):
        sentence = (
            f"The file has {len(members)} auxiliary channels and describes {len(channels)}; "
            "those that don't say what they measure are left out."
        )
        findings.append(Finding("warning", "auxiliary_unclear", sentence))
        channels = [Element("Aux") for _ in members]
    for place, ((_, name), channel) in enumerate(zip(members, channels, strict=True)):
        part = _name_auxiliary_columns(_read_table(opened, names[name]), channel, place)
        is_aligned = part.height == table.height and part["index"].equals(table["index"])
        table = (
            pl.concat([table, part.drop("index")], how="horizontal")
            if is_aligned
            else table.join(part.unique("index"), on="index", how="left", maintain_order="left")
        )
    return table


def _channel_numbers(name: str) -> tuple[int, ...]:
    """Return the numbers in the name of an auxiliary channel's member, none for other members."""
    match = _AUXILIARY.match(name)
    if match is None or name in _TABLES:
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
