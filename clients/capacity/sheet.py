"""Arithmetic that is shown: a line's value is what its own text evaluates to."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

OPERATIONS: Mapping[type[ast.operator], Callable[[float, float], float]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }
)
FUNCTIONS: Mapping[str, Callable[..., float]] = MappingProxyType({"ceil": math.ceil, "max": max})


@dataclass(frozen=True, slots=True)
class Line:
    """One step: what it gives, how, and where its numbers are from."""

    title: str
    working: str
    value: float
    unit: str
    why: str = ""


@dataclass(slots=True)
class Section:
    """Lines that belong together."""

    title: str
    lines: list[Line] = field(default_factory=list)

    def add(self, title: str, working: str, unit: str, why: str = "") -> float:
        """Add a step; its value is the working's."""
        value = evaluated(working)
        self.lines.append(Line(title, working, value, unit, why))
        return value


def shown(value: float) -> str:
    """A number as a working has it: whole from a hundred on, else three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{float(f'{value:.3g}'):g}"


def evaluated(working: str) -> float:
    """The value of a working: numbers with thousands' commas, + - * /, brackets, ceil and max."""
    plain = working.replace("x", "*")
    for name in FUNCTIONS:  # `max` has lost its x
        plain = plain.replace(name.replace("x", "*"), name)
    return _value(ast.parse(_without_commas(plain), mode="eval").body)


def _without_commas(text: str) -> str:
    """Drop the commas within numbers; those between arguments have a blank behind them."""
    return text.replace(", ", ";").replace(",", "").replace(";", ", ")


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        return OPERATIONS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        return float(FUNCTIONS[node.func.id](*(_value(each) for each in node.args)))
    raise ValueError(f"{ast.unparse(node)} is no arithmetic")
