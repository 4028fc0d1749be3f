"""Mails: what they say, and how they leave: by SMTP, or into a folder while there is no server."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from .outcomes import Failed, Outcome, Sent

TEMPLATES = Path(__file__).parent / "templates"
TIMEOUT = 20.0
UNFOLDED = SMTP.clone(max_line_length=998)
"""A link in a header must stay in one piece."""
MAX_ERROR = 300


class Line(NamedTuple):
    """One thing that happened, in words, and where it is to be seen."""

    text: str
    url: str


class Addressee(NamedTuple):
    """Who gets a mail."""

    user_id: int
    name: str
    email: str


class UnsubscribeTokens:
    """Tokens that end e-mail to one user; nobody can make one who has not the key."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"aviary unsubscribe", hashlib.sha256)

    def token(self, user_id: int) -> str:
        """The token in a user's mails."""
        return f"{user_id}.{self._mac(user_id)}"

    def user_of(self, token: str) -> int | None:
        """Whose token that is; None for one that is forged."""
        number, _, mac = token.partition(".")
        if not (number.isascii() and number.isdecimal()) or len(number) > 19:
            return None
        user_id = int(number)
        return user_id if hmac.compare_digest(mac, self._mac(user_id)) else None

    def _mac(self, user_id: int) -> str:
        return hmac.new(self._key, str(user_id).encode(), hashlib.sha256).hexdigest()[:40]


class Composer:
    """Writes mails: text and HTML from the same facts."""

    def __init__(self, sender: str, public_url: str, tokens: UnsubscribeTokens) -> None:
        self._sender = sender
        self._public_url = public_url.rstrip("/")
        self._tokens = tokens
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def compose(self, to: Addressee, lines: Sequence[Line], delivery_id: int) -> EmailMessage:
        """A mail; the same delivery has the same Message-ID, so that a repeat can be told."""
        link = f"{self._public_url}/api/v1/unsubscribe/{self._tokens.token(to.user_id)}"
        facts: Mapping[str, object] = {"name": to.name, "lines": lines, "unsubscribe": link}
        mail = EmailMessage(policy=UNFOLDED)
        mail["From"] = self._sender
        mail["To"] = to.email
        mail["Subject"] = _one_line(
            lines[0].text if len(lines) == 1 else f"{len(lines)} things happened on Aviary"
        )
        mail["Date"] = formatdate()
        host = parseaddr(self._sender)[1].partition("@")[2] or "localhost"
        mail["Message-ID"] = f"<{delivery_id}@{host}>"
        mail["List-Unsubscribe"] = f"<{link}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(self._templates.get_template("mail.txt").render(facts))
        mail.add_alternative(
            self._templates.get_template("mail.html").render(facts), subtype="html"
        )
        return mail

    def page(self, token: str) -> bytes:
        """The page behind a mail's link: a button, for a link alone must change nothing."""
        template = self._templates.get_template("unsubscribe.html")
        return template.render(token=token).encode()


class SmtpSender:
    """Hands mails to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self._host = parts.hostname or "localhost"
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._start_tls = options.get("starttls", ["false"])[0] == "true"
        self._bundle = options.get("ca", [None])[0]

    async def send(self, mail: EmailMessage) -> Outcome:
        """Send one mail."""
        try:
            await aiosmtplib.send(
                mail,
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._tls,
                start_tls=self._start_tls and not self._tls,
                cert_bundle=self._bundle,
                timeout=TIMEOUT,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            return Failed(str(error)[:MAX_ERROR], permanent=min(codes, default=0) >= 500)
        except aiosmtplib.SMTPResponseException as error:
            failed = f"{error.code} {error.message}"[:MAX_ERROR]
            return Failed(failed, permanent=error.code >= 500)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Failed(f"{type(error).__name__}: {error}"[:MAX_ERROR])
        return Sent()


class OutboxSender:
    """Puts mails into a folder, one file each, while there is no server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: EmailMessage) -> Outcome:
        """Write one mail; the same mail again is the same file."""
        name = mail["Message-ID"].strip("<>").partition("@")[0]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self._folder / f".{name}.new"
            half.write_bytes(mail.as_bytes())
            half.replace(self._folder / f"{name}.eml")
        except OSError as error:
            return Failed(str(error)[:MAX_ERROR])
        return Sent()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
