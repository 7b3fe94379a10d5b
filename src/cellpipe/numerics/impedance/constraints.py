"""What a user prescribes of a circuit's parameters: fixed values, bounds, and ties.

``R0=5`` fixes, ``0.6<CPE1_n<0.95`` or ``R1>3`` bounds, ``CPE2_n=CPE1_n`` or ``R2=2*R1`` ties. Names
are those of :func:`parameter_names`; numbers are in the unit of the parameter. ``n1`` is the n, and
``Q1`` the Q, of the one element with the number 1 that has it.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellpipe.core.errors import CellpipeError
from cellpipe.numerics.impedance.circuits import Circuit
from cellpipe.numerics.impedance.elements import Floats, Parameter

_FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "log10": np.log10, "abs": np.abs,
}  # fmt: skip
_OPERATIONS: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power,
}  # fmt: skip
_WAYS = "a value (R0=5), bounds (0.6<CPE1_n<0.95) or a tie (CPE2_n=CPE1_n, R2=2*R1)"
_NAME = r"[A-Za-z_]\w*"


@dataclass(frozen=True)
class Constraint:
    """One parameter's constraint: a fixed value, a tie, or bounds; names as lmfit has them."""

    value: float | None = None
    min: float = -math.inf
    max: float = math.inf
    expr: str | None = None

    @property
    def vary(self) -> bool:
        """Whether the fit may change the parameter."""
        return self.value is None and self.expr is None

    def __str__(self) -> str:
        """Return the constraint in words, as the table of parameters has it."""
        if self.expr is not None:
            return f"tied to {self.expr}"
        if self.value is not None:
            return "fixed"
        if math.isinf(self.min):
            return f"at most {self.max:g}"
        return f"at least {self.min:g}" if math.isinf(self.max) else f"{self.min:g} to {self.max:g}"


Constraints = Mapping[str, Constraint]
Prescribed = Mapping[str, object] | Sequence[str] | str


def parameter_names(circuit: Circuit) -> list[str]:
    """Return parameter names: ``R1`` (an element's only one), ``CPE1_Q``, ``CPE1_n``."""
    elements = [element for element, _ in circuit.keys]
    return [
        element if elements.count(element) == 1 else f"{element}_{parameter}"
        for element, parameter in circuit.keys
    ]


def read_constraints(prescribed: Prescribed | None, circuit: Circuit) -> dict[str, Constraint]:
    """Return the constraints by parameter, from sentences such as ``R0=5`` or lmfit's parameters.

    A dictionary may also hold a number, a pair of bounds or an expression for each name.

    Raises
    ------
    CellpipeError
        If a name is none of the circuit's, a sentence can't be read, two contradict each other, or
        a value is beyond what the element can have.

    """
    if prescribed is None:
        return {}
    names = parameter_names(circuit)
    found: dict[str, Constraint] = {}
    if isinstance(prescribed, Mapping):
        for name, given in prescribed.items():
            full, each = names[_place(str(name), circuit, names)], _from_lmfit(given)
            if each is not None and each.expr is not None:
                each = Constraint(expr=_with_full_names(each.expr, circuit, names))
            if each is not None:
                found[full] = each
    else:
        for text in [prescribed] if isinstance(prescribed, str) else prescribed:
            name, constraint = _read(text, circuit, names)
            found[name] = _merge(name, found.get(name), constraint)
    for name, constraint in found.items():
        _check(name, constraint, circuit.parameters[names.index(name)])
    evaluate_ties(found, dict.fromkeys(names, np.ones(1)))  # that they can be evaluated
    return found


def _from_lmfit(given: object) -> Constraint | None:
    """Return the constraint of an lmfit parameter, a number, bounds or a tie; None if none."""
    if isinstance(given, str):
        return Constraint(expr=given)
    if isinstance(given, int | float):
        return Constraint(value=float(given))
    if isinstance(given, tuple) and len(given) == 2:
        return Constraint(min=float(given[0]), max=float(given[1]))
    value, expr = float(getattr(given, "value", math.nan)), getattr(given, "expr", None)
    low, high = float(getattr(given, "min", -math.inf)), float(getattr(given, "max", math.inf))
    if expr:
        return Constraint(expr=str(expr))
    if not getattr(given, "vary", True):
        return Constraint(value=value)
    return None if math.isinf(low) and math.isinf(high) else Constraint(min=low, max=high)


def _place(name: str, circuit: Circuit, names: list[str]) -> int:
    """Return the place of the parameter that a name means."""
    if name in names:
        return names.index(name)
    short = re.fullmatch(r"([A-Za-z]+)(\d+)", name)
    meant = [
        place
        for place, (element, parameter) in enumerate(circuit.keys)
        if short and parameter == short[1] and re.sub(r"\D", "", element) == short[2]
    ]
    if len(meant) == 1:
        return meant[0]
    units = [f"{each} ({p.unit})" for each, p in zip(names, circuit.parameters, strict=True)]
    raise CellpipeError(
        f"a constraint on {name!r}, which is no parameter of {circuit.text}",
        expected=f"one of {', '.join(units)}",
        remedy="correct the name, or take a circuit that has it",
    )


def _read(text: str, circuit: Circuit, names: list[str]) -> tuple[str, Constraint]:
    """Return the parameter and the constraint that a sentence is about."""
    bare = re.sub(r"(?<=\d),(?=\d)", ".", re.sub(r"\s", "", text)).replace("≤", "<=")
    bare = bare.replace("≥", ">=").replace("==", "=")
    tie = re.fullmatch(rf"({_NAME})=(?!=)(.+)", bare)
    if tie:
        name = names[_place(tie[1], circuit, names)]
        value = _number(tie[2])
        if value is not None:
            return name, Constraint(value=value)
        return name, Constraint(expr=_with_full_names(tie[2], circuit, names))
    parts = re.split(r"<=|>=|<|>", bare)
    signs = {sign[0] for sign in re.findall(r"<=|>=|<|>", bare)}
    at = [i for i, part in enumerate(parts) if re.fullmatch(_NAME, part) and _number(part) is None]
    numbers = [_number(part) for i, part in enumerate(parts) if i not in at]
    if len(signs) != 1 or len(at) != 1 or None in numbers or len(parts) > 3:
        raise CellpipeError(f"{text!r}", expected=_WAYS, remedy="write it in one of these ways")
    if len(parts) == 3 and at != [1]:
        raise CellpipeError(f"{text!r}", expected=_WAYS, remedy="put the name in the middle")
    limits = [-math.inf, math.inf]
    for i, part in enumerate(parts):
        if i not in at:
            below = (i < at[0]) == (signs == {"<"})
            limits[0 if below else 1] = float(part)
    return names[_place(parts[at[0]], circuit, names)], Constraint(min=limits[0], max=limits[1])


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _with_full_names(expression: str, circuit: Circuit, names: list[str]) -> str:
    """Return an expression with every parameter by its full name."""

    def full(match: re.Match[str]) -> str:
        word = match[0]
        return word if word in _FUNCTIONS else names[_place(word, circuit, names)]

    return re.sub(rf"(?<![\w.]){_NAME}", full, expression)


def _merge(name: str, before: Constraint | None, now: Constraint) -> Constraint:
    if before is None:
        return now
    if not (before.vary and now.vary):
        raise CellpipeError(
            f"two constraints on {name}: {before} and {now}", expected="one value, tie or range",
            remedy="leave one of them out",
        )  # fmt: skip
    return Constraint(min=max(before.min, now.min), max=min(before.max, now.max))


def _check(name: str, constraint: Constraint, parameter: Parameter) -> None:
    """Refuse a value that the element can't have, and a range that holds none."""
    low, high = parameter.low, parameter.high
    said = f"between {low:g} and {high:g} {'' if parameter.unit == '1' else parameter.unit}".strip()
    if constraint.value is not None and not low <= constraint.value <= high:
        raise CellpipeError(
            f"{name} fixed at {constraint.value:g}", expected=said,
            remedy="correct the value, or take a circuit without this element",
        )  # fmt: skip
    if constraint.vary and not max(constraint.min, low) < min(constraint.max, high):
        raise CellpipeError(
            f"bounds of {name}, {constraint}, that hold no value", expected=f"a range {said}",
            remedy="correct the bounds",
        )  # fmt: skip


def evaluate_ties(constraints: Constraints, values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the values of all parameters by name, those that are tied from the others.

    Raises
    ------
    CellpipeError
        If a tie can't be evaluated: an unknown name, a circle, or more than arithmetic.

    """
    out = {name: value for name, value in values.items() if not _is_tied(constraints, name)}

    def of(name: str, above: tuple[str, ...]) -> Floats:
        if name in out:
            return out[name]
        if name not in values or name in above:
            raise _no_tie(name, above, values)
        expression = constraints[name].expr or ""
        try:
            tree = ast.parse(expression, mode="eval").body
        except SyntaxError as error:
            raise _no_tie(expression, (), values) from error
        found = _evaluate(tree, lambda inner: of(inner, (*above, name)))
        if found is None:
            raise _no_tie(expression, (), values)
        out[name] = found
        return found

    with np.errstate(all="ignore"):
        return {name: of(name, ()) for name in values}


def _evaluate(node: ast.expr, of: Callable[[str], Floats]) -> Floats | None:
    """Return the value of an expression; None if it is more than arithmetic of names."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.asarray(float(number))
        case ast.Name(id=name):
            return of(name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            one, other = _evaluate(left, of), _evaluate(right, of)
            whole = one is not None and other is not None
            return _OPERATIONS[type(op)](one, other) if whole else None  # type: ignore[arg-type]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _evaluate(operand, of)
            return None if inner is None else -inner
        case ast.Call(func=ast.Name(id=function), args=[argument]) if function in _FUNCTIONS:
            inner = _evaluate(argument, of)
            return None if inner is None else _FUNCTIONS[function](inner)
    return None


def _is_tied(constraints: Constraints, name: str) -> bool:
    return name in constraints and constraints[name].expr is not None


def _no_tie(found: str, above: tuple[str, ...], names: Iterable[str]) -> CellpipeError:
    circle = f": {' = '.join((*above, found))}" if found in above else ""
    return CellpipeError(
        f"a tie with {found!r}{circle}",
        expected=f"arithmetic of {', '.join(names)} that ends in parameters that are free",
        remedy="correct the tie, as CPE2_n=CPE1_n or R2=2*R1",
    )
