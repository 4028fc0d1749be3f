"""Addresses of stores, as they may be shown, and whether those outside of the mesh answer."""

import asyncio
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.chassis.config import PREFIX, Settings
from services.local.errors import StoreUnreachableError
from services.local.probes import Probe, ProbeFailedError, ProbeKind

STORES = {
    "tweet_dsn": ProbeKind.POSTGRES,
    "graph_dsn": ProbeKind.POSTGRES,
    "timeline_dsn": ProbeKind.POSTGRES,
    "search_dsn": ProbeKind.POSTGRES,
    "notify_dsn": ProbeKind.POSTGRES,
    "redis_url": ProbeKind.REDIS,
}
ANSWER_SECONDS = 5.0


def shown(settings: Settings) -> dict[str, str]:
    """Address per store, without passwords."""
    named = [name for name in (*STORES, "object_store") if getattr(settings, name)]
    mail = _clean_url(settings.smtp_url) if settings.smtp_url else str(settings.outbox_folder)
    return {
        name.removesuffix("_dsn").removesuffix("_url"): _address(settings, name) for name in named
    } | {"mail": mail}


async def check_external(settings: Settings) -> None:
    """Raise StoreUnreachableError for a store, named by the settings, that does not answer."""
    named = [name for name in STORES if getattr(settings, name)]
    await asyncio.gather(*(_check(settings, name) for name in named))


async def _check(settings: Settings, name: str) -> None:
    try:
        await Probe(STORES[name], getattr(settings, name)).check(ANSWER_SECONDS)
    except (ProbeFailedError, ValueError) as error:
        address = _address(settings, name)
        raise StoreUnreachableError(PREFIX + name.upper(), address, str(error)) from error


def _address(settings: Settings, name: str) -> str:
    text: str = getattr(settings, name)
    return _without_password(text) if STORES.get(name) is ProbeKind.POSTGRES else _clean_url(text)


def _without_password(dsn: str) -> str:
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return "not a connection string"
    return make_conninfo("", **{k: v for k, v in parts.items() if "password" not in k})


def _clean_url(url: str) -> str:
    parts = urlsplit(url)
    _, _, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{host}{parts.path}"
