"""Write Python expressions over as many lines as they need, as formatters lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH = 88


@dataclass(frozen=True)
class Call:
    """A call; an argument with a name is a pair of the name and the value."""

    function: str
    arguments: tuple[Node | tuple[str, Node], ...]


@dataclass(frozen=True)
class Group:
    """A bracketed list of parts, each with what stands before it: a key or a name."""

    opening: str
    parts: tuple[tuple[str, Node], ...]
    closing: str


Node = str | Call | Group  # a text is written as it is


def literal(value: Any) -> Node:
    """Return a value as an expression; calls and groups within it stay as they are."""
    if isinstance(value, (Call, Group)):
        return value
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        pairs = tuple((f"{quote(key)}: ", literal(each)) for key, each in value.items())
        return Group("{", pairs, "}")
    if isinstance(value, Sequence):
        return Group("[", tuple(("", literal(each)) for each in value), "]")
    return repr(value)


def quote(text: str) -> str:
    """Return a text as a string in double quotes, or in single ones where that escapes less."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    plain = text.replace("\\", "\\\\").replace(mark, f"\\{mark}")
    return mark + plain.replace("\n", "\\n") + mark


def render(before: str, node: Node, after: str = "", indent: int = 0) -> str:
    """Return an expression after a text, on one line or on several; ends with a line break."""
    flat = f"{' ' * indent}{before}{_flatten(node)}{after}\n"
    if isinstance(node, str) or len(flat) - 1 <= _WIDTH:
        return flat
    group = _as_group(node)
    if not group.parts:
        return flat
    lines = [f"{' ' * indent}{before}{group.opening}\n"]
    lines += [render(name, part, ",", indent + 4) for name, part in group.parts]
    return "".join([*lines, f"{' ' * indent}{group.closing}{after}\n"])


def _flatten(node: Node) -> str:
    if isinstance(node, str):
        return node
    group = _as_group(node)
    parts = ", ".join(f"{name}{_flatten(part)}" for name, part in group.parts)
    return f"{group.opening}{parts}{group.closing}"


def _as_group(node: Call | Group) -> Group:
    if isinstance(node, Group):
        return node
    parts = tuple(
        (f"{each[0]}=", each[1]) if isinstance(each, tuple) else ("", each)
        for each in node.arguments
    )
    return Group(f"{node.function}(", parts, ")")
