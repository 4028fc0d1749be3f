"""Which push endpoints are called, and links that end e-mail."""

from collections.abc import Sequence

import pytest

from services.notify.delivery.endpoints import EndpointRules, PublicResolver, is_public
from services.notify.delivery.mail import UnsubscribeTokens
from services.notify.delivery.push import key_of, secret_of
from services.notify.errors import PushEndpointRefusedError

from .post import KEY

A, B = 11, 12


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x", "https://evil.example/x", "https://127.0.0.1/x",
        "https://[::1]/x", "https://user@fcm.googleapis.com/x", "https://fcm.googleapis.com:22/x",
        "https://fcm.googleapis.com.evil.example/x", "https://2130706433/", "ftp://fcm.googleapis.com",
        "nonsense", "", "https://fcm.googleapis.com/" + "x" * 2_048, "https://[oops/",
    ],
)  # fmt: skip
def test_endpoints_that_are_not_called(endpoint: str) -> None:
    rules = EndpointRules("fcm.googleapis.com, push.apple.com")
    with pytest.raises(PushEndpointRefusedError):
        rules.check(endpoint)
    rules.check("https://fcm.googleapis.com/send/abc")
    rules.check("https://web.push.apple.com/abc")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "0.0.0.0",
     "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "224.0.0.1"],
)  # fmt: skip
async def test_names_that_lead_inside_are_not_called(address: str) -> None:
    assert not is_public(address)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.216.34", address]

    with pytest.raises(OSError, match="not public"):
        await PublicResolver(resolve).resolve("fcm.googleapis.com", 443)


async def test_public_names_are_called_at_what_was_looked_at() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.216.34", "2606:2800:220:1::1"]

    found = await PublicResolver(resolve).resolve("fcm.googleapis.com", 443)
    assert [each["host"] for each in found] == ["93.184.216.34", "2606:2800:220:1::1"]


def test_keys_of_browsers() -> None:
    assert key_of("AAAA") is None
    assert key_of("\u00e9") is None
    assert key_of("B" + "A" * 86) is None
    assert secret_of("AAAA") is None


def test_unsubscribe_tokens_cannot_be_guessed() -> None:
    tokens, others = UnsubscribeTokens(KEY), UnsubscribeTokens(b"another key")
    token = tokens.token(A)
    assert tokens.user_of(token) == A
    number, mac = token.split(".")
    cut = f"{number}.{mac[:-1]}"
    for each in (f"{B}.{mac}", cut, number, "", ".", others.token(A), "\u0661.x"):
        assert tokens.user_of(each) is None
