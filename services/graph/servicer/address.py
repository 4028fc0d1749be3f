"""Where a caller is."""

from services.chassis.call import Call

FORWARDED_FOR = b"x-forwarded-for"


def address_of(call: Call) -> str:
    """The caller's address as the edge saw it; what callers claim it drops."""
    return call.headers.get(FORWARDED_FOR, b"").decode("latin-1").rpartition(",")[2].strip()
