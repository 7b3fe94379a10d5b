"""Read ``cellpipe.toml`` strictly: which folders, which results, and when; nothing is guessed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cellpipe.config.example import EXAMPLE
from cellpipe.config.invalid_settings import settings_error
from cellpipe.core.clean_text import is_postgres_address, is_storage_address
from cellpipe.core.errors import SettingsError
from cellpipe.core.limits import Limits
from cellpipe.system.regular_files import read_regular
from cellpipe.system.time_zones import EXPECTED, is_time_zone, suggest_time_zone

NAME = "cellpipe.toml"
_CRON_FIELDS = 5


def _check_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError(f"{EXPECTED}; {suggest_time_zone(name)}")
    return name


def _check_cron(line: str) -> str:
    from cronsim import CronSim, CronSimError

    expected = "five fields (minute hour day month weekday), as 0 2 * * *"
    if len(line.split()) != _CRON_FIELDS:
        raise ValueError(expected)
    try:
        CronSim(line, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"{expected}; {str(error).lower()}") from error
    return line


def _check_reference(text: str) -> str:
    if not re.fullmatch(r"(env|file|prefect):\S.*", text):
        raise ValueError("where the secret is: env:NAME, file:PATH or prefect:BLOCK")
    return text


def _check_storage(url: str) -> str:
    if not is_storage_address(url):
        raise ValueError(
            "an address as s3://bucket/folder, without a key, a password or a query; a key is in "
            "the environment, as AWS_SECRET_ACCESS_KEY"
        )
    return url


def _check_ledger(url: str) -> str:
    if not is_postgres_address(url):
        raise ValueError(
            "postgresql://user@host/database#schema without a password; that is in ~/.pgpass"
        )
    return url


Reference = Annotated[str, AfterValidator(_check_reference)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Storage = Annotated[str, AfterValidator(_check_storage)]
Postgres = Annotated[str, AfterValidator(_check_ledger)]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253)]
Positive = Annotated[float, Field(gt=0, le=86_400)]


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LabSettings(_StrictModel):
    """One lab: its folders and its results.

    ``fetch`` is an address of object storage whose files are downloaded into ``folder``;
    ``publish`` is one that results are uploaded to. Flows know the lab by its ``name``; without
    one it is called after its folder.
    """

    name: Name | None = None
    folder: Path
    results: Path
    also: tuple[Path, ...] = ()
    time_zone: Zone | None = None
    ledger: Postgres | None = None
    fetch: Storage | None = None
    publish: Storage | None = None


class WatchSettings(_StrictModel):
    """The waiting times of the watch."""

    settle_seconds: Positive = 1.0
    incomplete_seconds: Positive = 30.0
    growing_minutes: Annotated[float, Field(gt=0, le=100_000)] = 60.0
    poll_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 1.0
    fetch_seconds: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    events: Literal["auto", "on", "off"] = "auto"


class NightlySettings(_StrictModel):
    """The schedule of the nightly run."""

    cron: Annotated[str, AfterValidator(_check_cron)] = "0 2 * * *"
    time_zone: Zone | None = None


class ServerSettings(_StrictModel):
    """The Prefect server of ``cellpipe serve``.

    It answers requests that call it by ``host``, by one of ``hosts``, or as this machine itself.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 4200
    hosts: tuple[Host, ...] = ()
    keep_days: Annotated[int, Field(ge=1, le=10_000)] = 90
    database: str | None = None


class RunnerSettings(_StrictModel):
    """Where the flows run: on this machine, or on a cluster of Dask or Ray.

    ``address`` is that of a cluster; without one, ``workers`` processes are started here.
    """

    kind: Literal["threads", "dask", "ray"] = "threads"
    address: str | None = None
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None


class ReceiverSettings(_StrictModel):
    """A server that takes results; ``token`` is a reference (see :mod:`..handoff.secrets`)."""

    url: str
    token: Reference
    certificate_authority: Path | None = None


class ElabftwSettings(ReceiverSettings):
    """eLabFTW; ``items`` are ids of resources that each experiment is linked to."""

    items: tuple[int, ...] = ()


class DeliverySettings(_StrictModel):
    """Who delivers what, and to which receivers."""

    organisation: str = ""
    authors: tuple[str, ...] = ()
    licence: str = ""
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$")] = "cellpipe"
    eln: bool = False
    kadi: ReceiverSettings | None = None
    elabftw: ElabftwSettings | None = None


class NotifySettings(_StrictModel):
    """Who is notified of a nightly run, and when."""

    to: tuple[Reference, ...] = ()
    when: Literal["news", "alarms", "always"] = "news"


class LimitSettings(_StrictModel):
    """Limits; a cell that crosses one raises an alarm (:mod:`cellpipe.analyses.alarms`)."""

    coulombic_efficiency: Annotated[float, Field(ge=0, le=1)] = Limits.coulombic_efficiency
    sudden_loss: Annotated[float, Field(gt=0, le=1)] = Limits.sudden_loss
    resistance_growth: Annotated[float, Field(gt=1, le=1e6)] = Limits.resistance_growth
    retention: Annotated[float, Field(ge=0, le=1)] = Limits.retention
    apart: Annotated[float, Field(gt=0, le=1e3)] = Limits.apart
    silent_hours: Annotated[float, Field(ge=1, le=100_000)] = Limits.silent_hours

    def to_limits(self) -> Limits:
        """Return them as a lab has them."""
        return Limits(**self.model_dump())


class Settings(_StrictModel):
    """All settings of ``cellpipe.toml``; paths are absolute, and each lab has its time zone."""

    lab: Annotated[tuple[LabSettings, ...], Field(min_length=1)]
    time_zone: Zone | None = None
    watch: WatchSettings = WatchSettings()
    nightly: NightlySettings = NightlySettings()
    server: ServerSettings = ServerSettings()
    runner: RunnerSettings = RunnerSettings()
    hand_on: DeliverySettings = DeliverySettings()
    notify: NotifySettings = NotifySettings()
    limits: LimitSettings = LimitSettings()

    @property
    def cron_zone(self) -> str:
        """Return the time zone of the cron line."""
        return self.nightly.time_zone or self.time_zone or "UTC"


def read_settings(path: Path) -> Settings:
    """Read ``cellpipe.toml``; relative paths in it start from its own folder.

    Raises
    ------
    SettingsError
        If it is missing, is not TOML, or holds an unknown or invalid setting.

    """
    try:
        content = read_regular(path)
        is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # as PowerShell's > writes
        document = tomllib.loads(content.decode("utf-16" if is_wide else "utf-8-sig"))
    except FileNotFoundError as error:
        raise SettingsError(
            "no such file", expected="the settings of watch, nightly and serve",
            remedy=f"write {NAME}; cellpipe serve --example prints one to fill in", file=path,
        ) from error  # fmt: skip
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        said = re.sub(r"(['\"]).{3,}\1", "…", str(error))  # a name there may be a secret
        raise SettingsError(
            f"text that can't be read ({said})", expected="TOML in UTF-8",
            remedy="look at that line; Windows paths want single quotes: 'D:\\exports'", file=path,
        ) from error  # fmt: skip
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        names = re.findall(r"^#? ?(\w+) = ", EXAMPLE, re.MULTILINE)
        raise settings_error(error, path, names) from error
    return _resolve_settings(settings, path)


def _resolve_settings(settings: Settings, path: Path) -> Settings:
    base_dir = path.resolve().parent
    labs = tuple(
        lab.model_copy(
            update={
                "folder": base_dir / lab.folder,
                "results": base_dir / lab.results,
                "also": tuple(base_dir / folder for folder in lab.also),
                "time_zone": lab.time_zone or settings.time_zone,
            }
        )
        for lab in settings.lab
    )
    results = [lab.results for lab in labs]
    keys = [str(one.resolve()).casefold() for one in results]  # without links and case
    duplicate = next(
        (one for one, key in zip(results, keys, strict=True) if keys.count(key) > 1), None
    )
    if duplicate is not None:
        raise SettingsError(
            f"the results {duplicate} of two labs", expected="a results folder for each",
            remedy="name another; folders of one lab go under also", file=path,
        )  # fmt: skip
    ledgers = [lab.ledger for lab in labs if lab.ledger]
    if len(set(ledgers)) < len(ledgers):
        raise SettingsError(
            "one ledger for two labs", expected="one for each",
            remedy="give each a schema of its own: …/database#name", file=path,
        )  # fmt: skip
    return settings.model_copy(update={"lab": _name_labs(labs, path)})


def _name_labs(labs: Sequence[LabSettings], path: Path) -> tuple[LabSettings, ...]:
    """Return the labs, each with a name of its own.

    A lab without one is called after its folder, and after as many of the folders above as it takes
    to tell it from the others.

    Raises
    ------
    SettingsError
        If two labs have one name, or one folder and no name.

    """
    names = [lab.name or _folder_name(lab, labs) for lab in labs]
    keys = [name.casefold() for name in names]
    taken = next((n for n, key in zip(names, keys, strict=True) if keys.count(key) > 1), None)
    if taken is not None:
        raise SettingsError(
            f"two labs called {taken}", expected="a name for each",
            remedy='give each another one: name = "…"', file=path,
        )  # fmt: skip
    pairs = zip(labs, names, strict=True)
    return tuple(lab.model_copy(update={"name": name}) for lab, name in pairs)


def _folder_name(lab: LabSettings, labs: Sequence[LabSettings]) -> str:
    """Return the shortest end of a lab's folder that is no other lab's."""
    parts = _name_parts(lab.folder)
    others = [other for other in labs if other is not lab]
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[-depth:])
        ends = (other.name or "/".join(_name_parts(other.folder)[-depth:]) for other in others)
        if name.casefold() not in map(str.casefold, ends):
            return name
    return "/".join(parts)


def _name_parts(folder: Path) -> list[str]:
    """Return the names of a folder and of those above it, without drives' signs."""
    return [part for part in re.split(r"[\\/:]+", str(folder)) if part] or ["lab"]
