"""Medians, spreads and quantiles."""

from collections.abc import Sequence
from statistics import median


def spread(values: Sequence[float]) -> float:
    """Half the range relative to the median; 0 where there is only one value."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def paired_ratio(values: Sequence[float], limits: Sequence[float]) -> float:
    """The median of the ratios of each round: what a machine's drift does to both drops out."""
    return median(value / limit for value, limit in zip(values, limits, strict=True))


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this part of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = max(1, -(-round(part * 1_000_000) * len(ordered) // 1_000_000))
    return ordered[rank - 1]
