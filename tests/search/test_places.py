"""Places in queries: the sphere, its poles and its seam, and the operators' numbers (S003-20)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.domain_places import (
    EARTH_KM,
    MAX_RADIUS_KM,
    MIN_RADIUS_KM,
    Box,
    Near,
    Point,
    distance_km,
    point_of,
)
from services.search.errors import QueryInvalidError
from services.search.query.syntax import by_parser
from services.search.query.understanding import expression_of, understand
from services.search.tree_messages import message_of, node_of

BERLIN, PARIS = Point(13.405, 52.52), Point(2.3522, 48.8566)
SOUTH_POLE, NORTH_POLE = Point(0, -90), Point(0, 90)
longitudes = st.floats(-180, 180) | st.sampled_from([-180.0, -179.999, 0.0, 179.999, 180.0])
latitudes = st.floats(-90, 90) | st.sampled_from([-90.0, -89.99, 0.0, 89.99, 90.0])
points = st.builds(point_of, longitudes, latitudes)
radii = st.floats(MIN_RADIUS_KM, MAX_RADIUS_KM)


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (BERLIN, PARIS, 877.5),
        (BERLIN, BERLIN, 0),
        (SOUTH_POLE, NORTH_POLE, math.pi * EARTH_KM),
        (Point(-179.5, 0), Point(179.5, 0), 111.2),
        (Point(-90, 89.5), Point(90, 89.5), 111.2),
        (Point(123, 90), NORTH_POLE, 0),
        (Point(0, 0), Point(-180, 0), math.pi * EARTH_KM),
    ],
)
def test_distances(one: Point, other: Point, km: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, rel=1e-3, abs=1e-6)
    assert distance_km(other, one) == pytest.approx(km, rel=1e-3, abs=1e-6)


@given(points, radii, st.floats(0, 1), st.floats(0, 2 * math.pi))
def test_a_box_holds_its_circle(centre: Point, radius: float, part: float, bearing: float) -> None:
    near = Near(*centre, radius)
    point = went(centre, part * radius, bearing)
    if near.holds(point):
        assert near.box().holds(point)
    assert Near(*centre, radius * 1.000001).holds(point)
    assert not Near(*centre, part * radius * 0.999 - 0.001).holds(point)


def went(start: Point, km: float, bearing: float) -> Point:
    """Where one comes to."""
    reach, south = km / EARTH_KM, math.radians(start.latitude)
    up = math.sin(south) * math.cos(reach) + math.cos(south) * math.sin(reach) * math.cos(bearing)
    north = math.asin(max(-1.0, min(1.0, up)))
    across = math.atan2(
        math.sin(bearing) * math.sin(reach) * math.cos(south),
        math.cos(reach) - math.sin(south) * math.sin(north),
    )
    longitude = (start.longitude + math.degrees(across) + 540) % 360 - 180
    return point_of(longitude, math.degrees(north))


def test_a_box_is_no_larger_than_it_must_be() -> None:
    box = Near(13.4, 60.0, 100.0).box()
    assert box.north - box.south == pytest.approx(2 * 0.8993, rel=1e-3)
    assert box.east - box.west == pytest.approx(2 * 1.799, rel=1e-3)
    assert Near(0, 89.5, 100.0).box().longitudes[0] == (-180, 180)


@pytest.mark.parametrize(
    ("box", "inside", "outside"),
    [
        (Box(170, -10, -170, 10), [(180, 0), (-180, 0), (175, 5), (-175, -10)], [(0, 0), (169, 0)]),
        (Box(170, -10, 180, 10), [(-180, 0), (180, 0), (170, 10)], [(-179, 0), (175, 11)]),
        (Box(-180, -10, -170, 10), [(180, 0), (-180, 0), (-170, 0)], [(179, 0)]),
        (Box(-180, -90, 180, 90), [(180, 90), (-180, -90), (0, 0)], []),
        (Box(10, 80, 20, 90), [(-100, 90), (15, 85)], [(-100, 89.9), (9, 85)]),
        (Box(10, -90, 20, -80), [(-100, -90)], [(-100, -89.9), (0, 90)]),
        (Box(5, 5, 5, 5), [(5, 5)], [(5, 5.001), (5.001, 5)]),
        (Box(-0.0, -0.0, 0.0, 0.0), [(0.0, -0.0)], []),
        (Box(180, 0, -170, 1), [(180, 0), (-180, 1)], [(179.9, 0)]),
    ],
)  # fmt: skip
def test_boxes(
    box: Box, inside: list[tuple[float, float]], outside: list[tuple[float, float]]
) -> None:
    assert [place for place in inside if not box.holds(point_of(*place))] == []
    assert [place for place in outside if box.holds(point_of(*place))] == []


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("near:13.4,52.5,25km", "near:13.4,52.5,25km"),
        ("near:13.4,52.5", "near:13.4,52.5,10km"),
        ("near:13.4,52.5,25", "near:13.4,52.5,25km"),
        ("near:-0.5,-51.25,0.1KM", "near:-0.5,-51.25,0.1km"),
        ("near:+1.,.5,1e2km", "near:1,0.5,100km"),
        ("near:-0,0", "near:0,0,10km"),
        ('near:"13.4,52.5"', "near:13.4,52.5,10km"),
        ("bbox:13.1,52.3,13.8,52.7", "bbox:13.1,52.3,13.8,52.7"),
        ("bbox:170,-20,-170,20", "bbox:170,-20,-170,20"),
        ("coffee -near:1,2", "(coffee AND -near:1,2,10km)"),
        ("(near:1,2 OR bbox:1,2,3,4) a", "((near:1,2,10km OR bbox:1,2,3,4) AND a)"),
        ("from:wren near:1,2 -x", "(from:wren AND near:1,2,10km AND -x)"),
        ("linear:1,2 near", "(linear AND 1 AND 2 AND near)"),
    ],
)
def test_the_operators(query: str, expression: str) -> None:
    tree = understand(query).tree
    assert expression_of(tree) == expression
    assert node_of(message_of(tree)) == tree
    assert by_parser(expression) == tree


def test_no_operator_begins_in_a_link() -> None:
    assert expression_of(understand("https://x.org/near:1").tree) == "url:x.org/near:1"


@given(points, radii, points)
def test_places_cross_between_shards_unchanged(one: Point, radius: float, other: Point) -> None:
    for place in (Near(*one, radius), Box(*one, *other)):
        if isinstance(place, Near) or place.south <= place.north:
            assert node_of(message_of(place)) == place


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("near:Berlin", "which is no place like near:13.4,52.5,25km"),
        ("near:13.4", "which is no place like"),
        ("near:13.4, 52.5", "which is no place like"),
        ("near:13.4,52.5,25mi", "which is no place like"),
        ("near:nan,52.5", "which is no place like"),
        ("near:1,2,3,4", "which is no place like"),
        ("near:\u0661,2", "which is no place like"),
        ("near:180.1,0", "with a longitude of 180.1; it goes from -180 to 180"),
        ("near:0,-91", "with a latitude of -91; it goes from -90 to 90"),
        ("near:1e999,0", "with a longitude of inf"),
        ("near:0,0,0km", "with a radius in km of 0; it goes from 0.1 to 500"),
        ("near:0,0,-5km", "with a radius in km of -5"),
        ("near:0,0,501km", "with a radius in km of 501"),
        ("bbox:1,2,3", "which is no box like bbox:13.1,52.3,13.8,52.7"),
        ("bbox:1,2,3,4km", "which is no box like"),
        ("bbox:-181,2,3,4", "with a longitude of -181"),
        ("bbox:1,2,3,94", "with a latitude of 94"),
        ("bbox:1,4,3,2", "whose south is north of its north"),
        ("-near:1,2", "says only what must not be there"),
        ("near:1,1 OR near:1,2 OR near:1,3 OR near:1,4 OR bbox:1,2,3,4", "more than 4 places"),
        (f"near:{'1' * 300},2", f"has near:{'1' * 60} with a longitude"),
    ],
)
def test_bad_places(query: str, problem: str) -> None:
    with pytest.raises(QueryInvalidError) as caught:
        understand(query)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 250
