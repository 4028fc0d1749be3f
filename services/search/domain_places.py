"""Places as a query names them: what is near a point, and what is in a box.

Degrees are WGS 84's, as tweets have them. Distances are great circles on a sphere of the earth's
mean radius, within 0.6 % of what the ellipsoid has.
"""

import math
import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

NEAR, BBOX = "near", "bbox"
"""What the operators are called."""
EARTH_KM = 6371.0088
MIN_RADIUS_KM, RADIUS_KM, MAX_RADIUS_KM = 0.1, 10.0, 500.0
"""The smallest radius, that of a query that names none, and the largest."""
ANY_MERIDIAN = 0.9999
"""So near to a pole (sine of the reach over that of the way to it) the box has every longitude."""
SLACK = 1e-9
"""Degrees, 0.1 mm: what rounding may take from a box around a circle."""
MAX_SHOWN = 60
LIKE_NEAR, LIKE_BBOX = "place like near:13.4,52.5,25km", "box like bbox:13.1,52.3,13.8,52.7"
_NUMBER = r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)"
_NEAR = re.compile(rf"{_NUMBER},{_NUMBER}(?:,{_NUMBER}(?:km)?)?", re.IGNORECASE)
_BBOX = re.compile(",".join([_NUMBER] * 4), re.IGNORECASE)


class Point(NamedTuple):
    """A point whose longitude is below 180: that meridian is the one of -180."""

    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True)
class Box:
    """Tweets made in a box with its edges; where west > east it crosses the meridian of 180."""

    west: float
    south: float
    east: float
    north: float

    @property
    def longitudes(self) -> tuple[tuple[float, float], ...]:
        """The ranges, with their ends, that a point's longitude may be in."""
        if self.west > self.east:
            return (self.west, 180.0), (-180.0, self.east)
        if self.east == 180.0:
            return (self.west, 180.0), (-180.0, -180.0)
        return ((self.west, self.east),)

    @property
    def poles(self) -> tuple[float, ...]:
        """The latitudes of the poles in it, where all meridians meet."""
        return tuple(pole for pole in (-90.0, 90.0) if self.south <= pole <= self.north)

    def holds(self, point: Point) -> bool:
        """Whether a point is in it."""
        if point.latitude in self.poles:
            return True
        in_height = self.south <= point.latitude <= self.north
        return in_height and any(w <= point.longitude <= e for w, e in self.longitudes)


@dataclass(frozen=True, slots=True)
class Near:
    """Tweets made at most so many km from a point."""

    longitude: float
    latitude: float
    radius_km: float = RADIUS_KM

    def holds(self, point: Point) -> bool:
        """Whether a point is that near."""
        return distance_km(Point(self.longitude, self.latitude), point) <= self.radius_km

    def box(self) -> Box:
        """The smallest box that holds all of it, and a hair more."""
        reach = math.degrees(self.radius_km / EARTH_KM) + SLACK
        south, north = max(-90.0, self.latitude - reach), min(90.0, self.latitude + reach)
        to_pole = math.cos(math.radians(self.latitude))
        wide = math.sin(math.radians(reach))
        if south == -90 or north == 90 or wide > ANY_MERIDIAN * to_pole:
            return Box(-180.0, south, 180.0, north)
        span = math.degrees(math.asin(wide / to_pole)) + SLACK
        return Box(_wrapped(self.longitude - span), south, _wrapped(self.longitude + span), north)


Place: TypeAlias = Near | Box


def point_of(longitude: float, latitude: float) -> Point:
    """The point at some degrees, by the one name that it has here."""
    return Point(-180.0 if longitude == 180 else longitude + 0.0, latitude + 0.0)  # no -0.0


def distance_km(one: Point, other: Point) -> float:
    """The way between two points, by haversines, which are exact for near ones too."""
    south, north = math.radians(one.latitude), math.radians(other.latitude)
    across = math.sin(math.radians(other.longitude - one.longitude) / 2)
    along = math.sin((north - south) / 2)
    half = along * along + math.cos(south) * math.cos(north) * across * across
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def place_of(operator: str, text: str) -> Place:
    """What `near` or `bbox` means with some numbers. Raises ValueError saying what is wrong."""
    said = f"{operator}:{text[:MAX_SHOWN]}"
    if operator == NEAR:
        longitude, latitude, radius = _numbers(_NEAR, text, f"{said}, which is no {LIKE_NEAR}")
        _check(said, "longitude", longitude, -180, 180)
        _check(said, "latitude", latitude, -90, 90)
        _check(said, "radius in km", radius, MIN_RADIUS_KM, MAX_RADIUS_KM)
        return Near(longitude, latitude, radius)
    west, south, east, north = _numbers(_BBOX, text, f"{said}, which is no {LIKE_BBOX}")
    for longitude in (west, east):
        _check(said, "longitude", longitude, -180, 180)
    for latitude in (south, north):
        _check(said, "latitude", latitude, -90, 90)
    if south > north:
        raise ValueError(f"has {said}, whose south is north of its north")
    return Box(west, south, east, north)


def text_of(place: Place) -> tuple[str, str]:
    """The operator and the numbers that mean a place."""
    match place:
        case Near(longitude, latitude, radius_km):
            return NEAR, f"{_plain(longitude)},{_plain(latitude)},{_plain(radius_km)}km"
        case Box(west, south, east, north):
            return BBOX, ",".join(map(_plain, (west, south, east, north)))


def _numbers(form: re.Pattern[str], text: str, problem: str) -> list[float]:
    match = form.fullmatch(text)
    if match is None:
        raise ValueError(f"has {problem}")
    return [RADIUS_KM if each is None else float(each) + 0.0 for each in match.groups()]


def _check(said: str, name: str, value: float, minimum: float, maximum: float) -> None:
    if not minimum <= value <= maximum:
        problem = f"has {said} with a {name} of {value:g}; it goes from {minimum:g} to {maximum:g}"
        raise ValueError(problem)


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")


def _wrapped(longitude: float) -> float:
    if longitude < -180:
        return longitude + 360
    return longitude - 360 if longitude > 180 else longitude
