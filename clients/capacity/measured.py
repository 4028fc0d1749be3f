"""Measured figures: `make bench`'s own JSON, or what docs/performance.md has of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).parent / "measured.json"


class FiguresError(ValueError):
    """A file has not the figures of `make bench`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, and where it was measured."""

    name: str
    title: str
    median: float
    unit: str
    source: str


def load(file: Path | None = None) -> dict[str, Figure]:
    """The figures by name; a file's own first, the default ones for what it did not measure."""
    figures = _read(DEFAULT)
    return figures | _read(file) if file else figures


def _read(file: Path) -> dict[str, Figure]:
    try:
        document: Mapping[str, Any] = json.loads(file.read_text())
        source = str(document.get("source", file.name))
        return {
            each["name"]: Figure(
                each["name"], each["title"], float(each["median"]), each["unit"], source
            )
            for each in document["figures"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FiguresError(f"{file} has not the figures of `make bench`: {error!r}") from error
