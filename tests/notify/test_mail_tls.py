"""Mail over TLS: from the first byte or by STARTTLS, and never to a server that is not trusted."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from services.local.certificates import Authority
from services.notify.delivery.mail import SmtpSender
from services.notify.delivery.outcomes import Failed, Sent

from .receivers import MailServer

# aiosmtpd does not see TLS where it begins with the first byte.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a server named localhost, and the authority that signed it."""
    folder = tmp_path_factory.mktemp("mail") / "certificates"
    Authority().issue(folder, "localhost")
    return folder


def context_of(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


@contextmanager
def serving(**options: Any) -> Iterator[MailServer]:
    server = MailServer(user="aviary", password="secret", **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def mail() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.org", "b@example.org", "hello"
    made.set_content("hello")
    return made


async def test_tls_from_the_first_byte(certificates: Path) -> None:
    with serving(ssl_context=context_of(certificates), auth_require_tls=False) as server:
        login = f"aviary:secret@localhost:{server.port}"
        sender = SmtpSender(f"smtps://{login}?ca={certificates / 'ca.crt'}")
        assert await sender.send(mail()) == Sent()
        assert [each["Subject"] for each in server.box.mails] == ["hello"]


async def test_starttls_before_the_password(certificates: Path) -> None:
    """The server takes neither a login nor a mail in the clear."""
    secured = {"tls_context": context_of(certificates), "require_starttls": True}
    with serving(**secured, auth_require_tls=True) as server:
        login = f"aviary:secret@localhost:{server.port}"
        refused = await SmtpSender(f"smtp://{login}").send(mail())
        assert isinstance(refused, Failed)
        assert not server.box.mails
        sender = SmtpSender(f"smtp://{login}?starttls=true&ca={certificates / 'ca.crt'}")
        assert await sender.send(mail()) == Sent()
        assert len(server.box.mails) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_server_that_is_not_trusted_gets_nothing(
    certificates: Path, tmp_path: Path, host: str
) -> None:
    """Signed by somebody else, or for another name; it is tried again, as it may be put right."""
    Authority().issue(tmp_path / "others", "localhost")
    trusted = {"localhost": tmp_path / "others", "127.0.0.1": certificates}[host] / "ca.crt"
    with serving(ssl_context=context_of(certificates), auth_require_tls=False) as server:
        sender = SmtpSender(f"smtps://aviary:secret@{host}:{server.port}?ca={trusted}")
        outcome = await sender.send(mail())
        assert isinstance(outcome, Failed)
        assert "certificate" in outcome.error.lower()
        assert not outcome.permanent
        assert not server.box.mails
