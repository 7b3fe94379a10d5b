"""Columns of a table, and the physical quantities that bound them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Self

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from cellpipe.core.checkout import find_folder

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Type = Literal["string", "int64", "float64", "bool", "datetime"]
_DTYPES: dict[Type, pl.DataType] = {
    "string": pl.String(),
    "int64": pl.Int64(),
    "float64": pl.Float64(),
    "bool": pl.Boolean(),
    "datetime": pl.Datetime("us", "UTC"),
}
QUANTITIES = "quantities"
MATERIALS = "materials"
NO_TABLES = (QUANTITIES, MATERIALS)  # files of schemas/ that describe no table
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it is built: ten times faster


class Strict(BaseModel):
    """Part of a schema file, in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Strict):
    """A physical quantity: its unit, and within what a value must be and usually is."""

    unit: str
    because: str
    min: float | None = None
    max: float | None = None
    usual_min: float | None = None
    usual_max: float | None = None


class Column(Strict):
    """One column of a table, as its schema file describes it.

    ``min`` and ``max`` are what a value can be, ``usual_min`` and ``usual_max`` what it is in a
    sound cell, ``because`` is why; where the column names a ``quantity``, what it does not say
    itself is that of the quantity. ``matches`` is a regular expression for the whole text.
    """

    type: Type
    meaning: str
    unit: str = ""
    bdf: str = ""
    nullable: bool = False
    required: bool = True
    pattern: bool = False
    quantity: str = ""
    min: float | None = None
    max: float | None = None
    usual_min: float | None = None
    usual_max: float | None = None
    because: str = ""
    isin: tuple[str, ...] | None = None
    matches: str | None = None

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.type in {"float64", "int64"}

    @property
    def dtype(self) -> pl.DataType:
        """Return the column's polars type."""
        return _DTYPES[self.type]

    @model_validator(mode="before")
    @classmethod
    def _take_bounds(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or "quantity" not in given:
            return given
        quantity = load_quantities().get(str(given["quantity"]))
        if quantity is None:
            raise ValueError(f"no quantity {given['quantity']!r} in schemas/quantities.yaml")
        if given.get("unit", quantity.unit) != quantity.unit:
            raise ValueError(f"unit {given['unit']}, but {given['quantity']} is in {quantity.unit}")
        return {**quantity.model_dump(exclude_none=True), **given}

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        is_number = self.is_number
        bounds = (self.min, self.usual_min, self.usual_max, self.max)
        given = [bound for bound in bounds if bound is not None]
        if not all(map(math.isfinite, given)):
            raise ValueError("a bound that is no finite number")
        if given and not is_number:
            raise ValueError(f"bounds of a {self.type}, which is no number")
        if given != sorted(given):
            raise ValueError("min ≤ usual_min ≤ usual_max ≤ max does not hold")
        if (self.isin or self.matches) and self.type != "string":
            raise ValueError(f"isin or matches of a {self.type}, which is no text")
        if self.isin == ():
            raise ValueError("isin allows no value")
        if self.matches is not None:
            _try_pattern(self.matches)
        return self


class _Loader(_LOADER):  # type: ignore[misc, valid-type]
    """A safe loader that takes no key twice: else the last would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """Return a mapping; raise a YAMLError for a key that stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for place, key in enumerate(keys) if key in keys[:place]]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice[0]!r} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Return what a text of YAML says, without making objects of other classes.

    Raises
    ------
    yaml.YAMLError
        If it is none, or a key stands twice.

    """
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader


def _try_pattern(pattern: str) -> None:
    """Raise ValueError if a pattern is no regular expression that polars reads."""
    try:
        re.compile(pattern)
        pl.Series(["a"]).str.contains(f"^(?:{pattern})$")
    except (re.error, pl.exceptions.PolarsError) as error:
        raise ValueError(f"matches: {error}") from error


def schema_folder() -> Traversable:
    """Return the folder ``schemas/`` of the package or of an editable checkout."""
    return find_folder("schemas")


@cache
def load_quantities() -> dict[str, Quantity]:
    """Return the physical quantities of schemas/quantities.yaml, by name."""
    text = schema_folder().joinpath(f"{QUANTITIES}.yaml").read_text(encoding="utf-8")
    return {name: Quantity.model_validate(one) for name, one in load_yaml(text).items()}
