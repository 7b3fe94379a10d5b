"""Write the contracts of the tables in others' standards, so that other programs can hold to them.

Each standard has its module. What a standard has no word for (usual bounds, rules, order and
relations, in SQL and in a sentence) is written beside it under a name of its own: nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from cellpipe.core.contracts import Schema, load_schema, table_names
from cellpipe.core.errors import CellpipeError
from cellpipe.handoff.schemas.data_package import package_files
from cellpipe.handoff.schemas.json_schema import json_schema_files
from cellpipe.handoff.schemas.pandera_module import module_files

Writer = Callable[[Mapping[str, Schema]], dict[str, bytes]]

STANDARDS: Mapping[str, Writer] = MappingProxyType({
    "frictionless": package_files,
    "jsonschema": json_schema_files,
    "pandera": module_files,
})  # fmt: skip


def select_schemas(names: Sequence[str] = ()) -> dict[str, Schema]:
    """Return the schemas of tables by name, in alphabetical order; of all tables without names.

    Raises
    ------
    CellpipeError
        If a table is none.

    """
    unknown = [name for name in names if name not in table_names()]
    if unknown:
        raise CellpipeError(
            f"no table called {unknown[0]!r}", expected=f"one of {', '.join(table_names())}",
            remedy="correct the name; cellpipe schemas lists them",
        )  # fmt: skip
    return {name: load_schema(name) for name in table_names() if not names or name in names}


def schema_files(standard: str, names: Sequence[str] = ()) -> dict[str, bytes]:
    """Return files with the contracts of tables in a standard, by file name.

    Parameters
    ----------
    standard
        One of ``STANDARDS``.
    names
        The tables; all of them if not given.

    Raises
    ------
    CellpipeError
        If a table is none.

    """
    return STANDARDS[standard](select_schemas(names))
