"""What a query may be, seen before it is parsed: length, characters, quotes and brackets."""

import re

from ..errors import QueryInvalidError

MAX_LENGTH = 500
MAX_DEPTH = 8
MAX_TERMS = 32
MAX_PLACES = 4
_PAIRED = frozenset('"()')
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def check(query: str, *, maximum: int = MAX_LENGTH) -> None:
    """Refuse a query that is empty, too long, or holds control characters."""
    if len(query) > maximum:
        raise QueryInvalidError(f"is {len(query)} characters long, at most {maximum} are allowed")
    if control := _CONTROL.search(query):
        code = f"U+{ord(control[0]):04X}"
        raise QueryInvalidError(f"holds the control character {code} at {control.start() + 1}")
    if not query.strip():
        raise QueryInvalidError("is empty; at least one word is needed")


def check_pairs(query: str) -> None:
    """Refuse quotes and parentheses that do not match, or are nested too deep."""
    if _PAIRED.isdisjoint(query):
        return
    opened: list[int] = []
    quoted = 0
    for place, character in enumerate(query, 1):
        if character == '"':
            quoted = 0 if quoted else place
        elif quoted:
            continue
        elif character == "(":
            opened.append(place)
            if len(opened) > MAX_DEPTH:
                raise QueryInvalidError(f"has more than {MAX_DEPTH} nested parentheses at {place}")
        elif character == ")":
            if not opened:
                raise QueryInvalidError(f"closes a parenthesis at {place} that was never opened")
            opened.pop()
    if quoted:
        raise QueryInvalidError(f"opens a quote at {quoted} that is never closed")
    if opened:
        raise QueryInvalidError(f"opens a parenthesis at {opened[-1]} that is never closed")
