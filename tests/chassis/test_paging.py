"""Page sizes and tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import NegativePageSizeError, PageTokenError
from services.chassis.paging import (
    MAX_ID,
    cut_page,
    decode_key,
    decode_page_token,
    encode_page_token,
    page_size_of,
)

positions = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3)


@pytest.mark.parametrize(("asked", "given_size"), [(0, 20), (1, 1), (100, 100), (1000, 100)])
def test_page_size(asked: int, given_size: int) -> None:
    assert page_size_of(asked) == given_size


def test_negative_page_size_is_refused() -> None:
    with pytest.raises(NegativePageSizeError) as caught:
        page_size_of(-1)
    assert caught.value.violations[0][0] == "page_size"


@given(positions, st.integers(), st.text(max_size=20))
def test_token_round_trip(position: list[int], user_id: int, filter_text: str) -> None:
    token = encode_page_token(position, "list", user_id, filter_text)
    assert decode_page_token(token, "list", user_id, filter_text) == tuple(position)
    with pytest.raises(PageTokenError):
        decode_page_token(token, "list", user_id + 1, filter_text)
    with pytest.raises(PageTokenError):
        decode_page_token(token, "other list", user_id, filter_text)


@given(st.text(min_size=1, max_size=60))
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(PageTokenError):
        decode_page_token(text, "list", 1)


def test_no_token_is_the_first_page() -> None:
    assert decode_page_token("", "list") == ()


def test_the_key_of_a_page() -> None:
    assert (decode_key("", "list"), decode_key("", "list", first=0)) == (MAX_ID, 0)
    assert decode_key(encode_page_token([7], "list"), "list") == 7


@pytest.mark.parametrize("position", [[-1], [1, 2]])
def test_what_is_no_key_is_refused(position: list[int]) -> None:
    with pytest.raises(PageTokenError):
        decode_key(encode_page_token(position, "list"), "list")


@pytest.mark.parametrize("there", [0, 1, 2, 3])
def test_a_page_is_cut_from_one_row_more(there: int) -> None:
    rows = list(range(10, 10 + there))
    page, token = cut_page(rows, 2, lambda row: row * 100, "list", 7)
    assert page == rows[:2]
    assert decode_page_token(token, "list", 7) == ((1100,) if there == 3 else ())
    assert bool(token) == (there == 3)
