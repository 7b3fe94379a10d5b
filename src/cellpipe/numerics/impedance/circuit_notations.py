"""Circuits as others write them, brought into the notation of :mod:`circuits`.

======================  ==============================  ===========================
Notation                for example                     here
======================  ==============================  ===========================
impedance.py            R0-p(R1,CPE1)-W1                the same
Boukamp's code          R(RQ)W, R(C(RW)), R(Q[RW])      R0-p(R1,CPE1)-W1, …
pyimpspec, DearEIS      [R(RQ)(RQ)]                     R0-p(R1,CPE1)-p(R2,CPE2)
EC-Lab's ZFit           R1+Q2/R2+W3                     R1-p(CPE2,R2)-W3
AutoEIS                 R1-[P2,R3]                      R1-p(CPE2,R3)
with a stroke           R0-(R1|C1)                      R0-p(R1,C1)
======================  ==============================  ===========================

In Boukamp's code (B. A. Boukamp, Solid State Ionics 20, 31 (1986), doi
10.1016/0167-2738(86)90031-7) what stands together at the top is in series, in ( ) in parallel, in a
( ) directly within a ( ) in series again, and in [ ] in series. Q is a constant phase element, O
diffusion with an open end (tanh, here Ws), T with a blocked one (coth, here Wo). In EC-Lab / binds
before +, Wd is Ws and M is Wo. Elements without a number get one. What can be read in two ways is
refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.elements import ELEMENTS

_CLOSING = {"(": ")", "p(": ")", "[": "]"}
_ALWAYS = {"Q": "CPE"}
_BOUKAMP, _ECLAB, _AUTOEIS = {"O": "Ws", "T": "Wo"}, {"Wd": "Ws", "M": "Wo"}, {"P": "CPE"}
_SYMBOLS = sorted({*ELEMENTS, *_ALWAYS, *_BOUKAMP, *_ECLAB, *_AUTOEIS}, key=len, reverse=True)
_TOKEN = re.compile(rf"p\(|\|\||[-+/|,()\[\]]|(?:{'|'.join(_SYMBOLS)})\d*")
_STROKES = {"/", "|", "||"}
_EXAMPLE = "write it as R0-p(R1,CPE1)-W1: - in series, p( , ) in parallel"


@dataclass
class _Part:
    """An element, or elements and groups in series or in parallel."""

    kind: Literal["element", "series", "parallel"]
    name: str = ""
    number: str = ""
    parts: list[_Part] = field(default_factory=list)


@dataclass
class _Group:
    """What stands between two brackets: items, and what stands between them ('' for nothing)."""

    bracket: str
    items: list[_Part | _Group]
    between: list[str]


def translate_circuit(text: str) -> str:
    """Return a circuit in the notation of impedance.py; one that is in it stays as it is.

    Raises
    ------
    CellpipeError
        If an element is unknown, brackets don't match, or the string can be read in two ways.

    """
    bare = re.sub(r"\s", "", text)
    if _is_plain(bare):
        return text
    if "{" in bare:
        raise _refuse(text, "values in braces", "name the circuit alone; values are parameters")
    group, tokens = _group(bare, text), set(_TOKEN.findall(bare))
    part = _flatten(_interpret(group, "series", text, mixed="[" in tokens and "," not in tokens))
    elements = _elements(part)
    _rename(elements, tokens, text)
    _number(part, elements)
    return _write(part)


def _is_plain(bare: str) -> bool:
    """Return whether a string is in impedance.py's notation, and each element has its own name."""
    if not re.fullmatch(r"[A-Za-z0-9,()-]*", bare) or re.search(r"(?<!p)\(", bare):
        return False
    names = [name for name in re.split(r"p\(|[-,)]", bare) if name]
    if len(names) == 1:
        return not _are_symbols(names[0])
    bares = [name for name in names if name.isalpha()]
    return len(set(bares)) == len(bares) and not any(re.fullmatch(r"Q\d*", n) for n in names)


def _are_symbols(text: str) -> bool:
    """Return whether a word is several elements that stand together, as RQ or R0C1."""
    found = _TOKEN.findall(text)
    return "".join(found) == text and (len(found) > 1 or found[0].rstrip("0123456789") == "Q")


def _refuse(text: str, found: str, remedy: str = _EXAMPLE) -> CellpipeError:
    return CellpipeError(
        f"{found} in the circuit {text!r}", expected=f"elements {', '.join(ELEMENTS)}, joined by "
        "- and p( , ), or another program's notation of them", remedy=remedy,
    )  # fmt: skip


def _group(bare: str, text: str) -> _Group:
    """Return the nested groups of a string."""
    open_groups = [_Group("", [], [])]
    place, joined = 0, ""
    while place < len(bare):
        match = _TOKEN.match(bare, place)
        if match is None:
            word = re.match(r"[A-Za-z]*\d*", bare[place:])
            raise _refuse(text, repr((word and word[0]) or bare[place]))
        token, place = match[0], match.end()
        top = open_groups[-1]
        if token in _CLOSING:
            open_groups.append(_Group(token, [], []))
            joined = _join(top, joined)
        elif token in _CLOSING.values():
            if len(open_groups) == 1 or _CLOSING[top.bracket] != token or joined or not top.items:
                raise _refuse(text, "brackets that don't match, or a group that is not complete")
            open_groups.pop()
            open_groups[-1].items.append(top)
        elif token[0].isalpha():
            joined = _join(top, joined)
            name = token.rstrip("0123456789")
            top.items.append(_Part("element", name, token[len(name) :]))
        elif joined or not top.items:
            raise _refuse(text, f"{token!r} with nothing to join")
        else:
            joined = token
    if len(open_groups) > 1 or joined or not open_groups[0].items:
        raise _refuse(text, "brackets that don't match, or a group that is not complete")
    return open_groups[0]


def _join(group: _Group, joined: str) -> str:
    """Note what joins the next item to those before it; nothing joins the one after it yet."""
    if group.items:
        group.between.append(joined)
    return ""


def _interpret(
    group: _Group, within: Literal["series", "parallel", "other"], text: str, *, mixed: bool
) -> _Part:
    """Return what a group means within a series, a ( ) of Boukamp's, or another group.

    ``mixed``: [ ] is written for series, so a ( ) within a ( ) is ambiguous.
    """
    joints = set(group.between)
    strokes, commas = joints & _STROKES, "," in joints
    _check_joints(group, joints, text)
    inner: Literal["series", "parallel", "other"] = "other" if strokes or commas else "series"
    stands_together = group.bracket == "(" and not joints - {""}
    if stands_together:
        if within == "other":
            raise _refuse(text, "a ( ) of elements side by side within another notation")
        if within == "parallel" and mixed:
            raise _refuse(
                text, "a ( ) within a ( ), which is in series for Boukamp and in parallel for "
                "pyimpspec,", "write [ ] around what is in series",
            )  # fmt: skip
        if len(group.items) == 1:
            raise _refuse(text, "a ( ) around one element")
        meant: Literal["series", "parallel"] = "parallel" if within == "series" else "series"
        inner = meant
    parts = [
        item if isinstance(item, _Part) else _interpret(item, inner, text, mixed=mixed)
        for item in group.items
    ]
    if stands_together:
        return _Part(meant, parts=parts)
    if commas:
        return _Part("parallel", parts=_split(parts, group.between, {","}, "series"))
    if strokes:
        sides = {"+"} if "+" in joints else {"-"}
        return _Part("series", parts=_split(parts, group.between, sides, "parallel"))
    return _Part("series", parts=parts)


def _check_joints(group: _Group, joints: set[str], text: str) -> None:
    """Refuse what can be read in two ways, or what no notation has."""
    strokes = joints & _STROKES
    if group.bracket == "p(" and "," not in joints:
        raise _refuse(text, "a p( ) without a comma")
    if group.bracket == "" and "," in joints:
        raise _refuse(text, "a comma outside brackets")
    if group.bracket == "(" and joints == {"-"}:
        raise _refuse(text, "a ( ) without p and without a comma", "write p( , ) for parallel")
    if {"-", "+"} <= joints:
        raise _refuse(text, "both - and +")
    if strokes and "-" in joints:
        raise _refuse(text, "both - and a stroke, of which either may bind first,")
    others = (strokes or {","} & joints) and joints & ({"", ","} if strokes else {""})
    if others or ("" in joints and joints - {"", "-"}):
        raise _refuse(text, "a mixture of notations")
    if "" in joints and "-" in joints and group.bracket:
        raise _refuse(text, "a mixture of notations")


def _split(
    parts: Sequence[_Part],
    between: Sequence[str],
    at: set[str],
    kind: Literal["series", "parallel"],
) -> list[_Part]:
    """Return runs of parts between these joints, each run a part of this kind."""
    runs = [[parts[0]]]
    for joint, part in zip(between, parts[1:], strict=True):
        if joint in at:
            runs.append([part])
        else:
            runs[-1].append(part)
    return [run[0] if len(run) == 1 else _Part(kind, parts=run) for run in runs]


def _flatten(part: _Part) -> _Part:
    """Return a part without groups of one, and without a series within a series."""
    inside: list[_Part] = []
    for each in map(_flatten, part.parts):
        same = part.kind == each.kind == "series"
        inside += each.parts if same else [each]
    return inside[0] if len(inside) == 1 else _Part(part.kind, part.name, part.number, inside)


def _elements(part: _Part) -> list[_Part]:
    """Return the elements in the order of the string."""
    if part.kind == "element":
        return [part]
    return [element for each in part.parts for element in _elements(each)]


def _rename(elements: list[_Part], tokens: set[str], text: str) -> None:
    """Give elements the names that they have here; some symbols belong to one notation."""
    known = dict(_ALWAYS)
    if not tokens & {"-", "+", ",", *_STROKES}:
        known |= _BOUKAMP
    if tokens & {"+", *_STROKES}:
        known |= _ECLAB
    if {"[", ","} <= tokens:
        known |= _AUTOEIS
    for element in elements:
        name = known.get(element.name, element.name)
        if name not in ELEMENTS:
            raise _refuse(text, f"{element.name!r}, which differs from program to program,")
        element.name = name


def _number(part: _Part, elements: list[_Part]) -> None:
    """Give numbers where there are none: R0 before the first group, one to an arc."""
    taken = {(each.name, each.number) for each in elements}

    def give(element: _Part, number: int) -> None:
        while (element.name, str(number)) in taken:
            number += 1
        element.number = str(number)
        taken.add((element.name, element.number))

    tops = part.parts if part.kind == "series" else [part]
    ahead = 0
    while ahead < len(tops) and tops[ahead].kind == "element":
        ahead += 1
    leading = [] if ahead == len(tops) > 1 else tops[:ahead]
    for element in elements:
        if not element.number and element.name == "R":
            give(element, 0 if any(element is each for each in leading) else 1)
    partners = _partners(part)
    for element in elements:
        if not element.number:
            first = 0 if element.name == "L" and any(element is each for each in leading) else 1
            give(element, int(partners.get(id(element), first)))


def _partners(part: _Part) -> dict[int, str]:
    """Return the number of the resistor beside each capacitor or CPE of an arc."""
    found = {key: value for each in part.parts for key, value in _partners(each).items()}
    resistors = [each for each in part.parts if each.name == "R"]
    if part.kind == "parallel" and len(part.parts) == 2 and len(resistors) == 1:
        found |= {id(each): resistors[0].number for each in part.parts if each.name in {"C", "CPE"}}
    return found


def _write(part: _Part) -> str:
    if part.kind == "element":
        return part.name + part.number
    inside = [_write(each) for each in part.parts]
    return f"p({','.join(inside)})" if part.kind == "parallel" else "-".join(inside)
