"""Settings: one frozen record, read from `AVIARY_*` once at start.

Every setting has a default that works on one machine. An unknown `AVIARY_*` variable is an error,
so that a misspelt one cannot be ignored in silence.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

PREFIX = "AVIARY_"
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The name that OpenTelemetry gave it, for clusters that set it everywhere."""


class UnknownSettingError(ValueError):
    """An `AVIARY_*` variable that no setting reads, or a value that its type refuses."""


def default_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Where data, keys and sockets live: `/var/lib/aviary` for root, else below the user's home.

    Root's own home is closed to the unprivileged account that PostgreSQL must run under.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/aviary")
    data_home = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "aviary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; `AVIARY_` plus the field's name in capitals is its variable."""

    home: Path = field(default_factory=default_home)
    """Folder of data, keys, logs and sockets."""
    host: str = "auto"
    """Which host serves the handlers: `envoy`, `grpcio`, or `auto` (envoy where it can load)."""
    bind_address: str = "127.0.0.1"
    """Address that gRPC and metrics listen on."""
    grpc_port: int = 0
    """Port of gRPC; 0 takes a free one."""
    metrics_port: int = 0
    """Port of Prometheus' `/metrics`; 0 switches it off."""
    admin_socket: Path | None = None
    """Unix socket of the replica's Envoy admin; by default in `home`/run, named for the process."""
    instance: str = ""
    """Name of this replica in logs and leases; by default service name and process id."""
    zone: str = "local"
    """Availability zone of this replica."""
    endpoint_zones: str = ""
    """Zones of what the addresses name: `host:port=zone`, commas between; empty: one zone."""

    tweet_dsn: str = ""
    """PostgreSQL of the Tweet service (libpq connection string)."""
    tweet_replica_dsn: str = ""
    """A read replica of it, which then answers user timelines while it is not far behind."""
    graph_dsn: str = ""
    """PostgreSQL of the Graph service."""
    timeline_dsn: str = ""
    """PostgreSQL of the Timeline service's fan-out policy."""
    search_dsn: str = ""
    """PostgreSQL of the Search service's trends: what they were, and what is hidden."""
    notify_dsn: str = ""
    """PostgreSQL of the Notify service."""
    redis_url: str = ""
    """Redis of timelines and caches: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or
    `redis+cluster://`."""
    object_store: str = ""
    """Where media are kept: a folder, `s3://bucket?endpoint=...`; by default `home`/media."""
    upload_folder: Path | None = None
    """Folder of uploads under way; by default `home`/uploads."""
    upload_idle_seconds: float = 20.0
    """How long the sender of an upload may rest."""
    max_uploads: int = 32
    """Uploads that one replica takes at a time; each may fill 64 MB of the folder."""
    media_workers: int = 2
    """Processes that one replica inspects media in at a time; each may take 768 MB of memory."""

    tweet_address: str = "127.0.0.1:8081"
    """gRPC address of the Tweet service, any name that gRPC resolves."""
    tweet_write_address: str = ""
    """Tweet's replicas for writes, which the edge then leads to; empty: `tweet_address`."""
    graph_address: str = "127.0.0.1:8082"
    """gRPC address of the Graph service."""
    graph_write_address: str = ""
    """Graph's replicas for writes, which the edge then leads to; empty: `graph_address`."""
    timeline_address: str = "127.0.0.1:8083"
    """gRPC address of the Timeline service."""
    timeline_write_address: str = ""
    """Timeline's replicas for writes, which the edge then leads to; empty: `timeline_address`."""
    search_address: str = "127.0.0.1:8084"
    """gRPC address of the Search service."""
    notify_address: str = "127.0.0.1:8085"
    """gRPC address of the Notify service."""

    status_length: int = 280
    """Characters that a tweet may have, counted by the published rule; document 003 says 140."""

    search_shard: int = 0
    """Which shard of the search index this process holds, from 0."""
    search_shards: str = ""
    """gRPC addresses of all shards, `;` between shards, `,` between replicas; empty: one shard."""
    mesh: bool = False
    """Whether services meet over mutual TLS, by name, and call out through their own Envoy."""
    certificate_folder: Path | None = None
    """`tls.crt`, `tls.key`, `ca.crt` of this process; by default in `home`/certificates."""
    health_port: int = 0
    """With a mesh: port of health checks in the clear, which need no certificate."""
    egress_port: int = 0
    """With a mesh: port on loopback of the way out to other services."""

    local_search_shards: int = 1
    """How many shards `aviary up` starts."""
    local_replicas: int = 1
    """How many replicas of each service `aviary up` starts."""
    local_zones: int = 1
    """Zones that `aviary up` spreads them over; from two on the stores are replicated, too."""
    local_redis: str = ""
    """Redis of `aviary up`: `single`, `sentinel`, `cluster`; empty: sentinel with zones."""
    local_databases: str = ""
    """PostgreSQL of `aviary up`: `single`, or `separate` for a server each; empty: single."""
    search_folder: Path | None = None
    """Folder of this process's shard; by default one in `home`/search."""

    edge_port: int = 8080
    """Port that the edge serves REST and gRPC on; 0 takes a free one (`aviary up`)."""
    edge_address: str = ""
    """Addresses of all edges, for the zones' shares of the traffic; empty: there is one zone."""
    edge_concurrency: int = 1
    """Envoy worker threads of the edge; a page of 20 tweets costs one about 200 us."""
    public_url: str = "http://127.0.0.1:8080"
    """The edge's address as users see it; tweets' `url` starts with it."""
    signing_key_file: Path | None = None
    """Ed25519 private key (PEM) that signs access tokens; by default `home`/keys/signing.pem."""
    jwks_file: Path | None = None
    """Public keys (JWKS) that verify access tokens; by default `home`/keys/jwks.json."""

    vapid_key_file: Path | None = None
    """P-256 private key (PEM) that names us to push services; by default `home`/keys/vapid.pem."""
    vapid_subject: str = "mailto:operators@example.org"
    """Whom push services write to when something is wrong with our messages."""
    push_hosts: str = (
        "fcm.googleapis.com,updates.push.services.mozilla.com,notify.windows.com,push.apple.com"
    )
    """Hosts of push services that are called, with their subdomains; commas between."""
    push_allow_private: bool = False
    """Whether private addresses and plain HTTP may be called, too; for tests only."""
    push_concurrency: int = 16
    """Push messages that one notifier sends at a time."""
    smtp_url: str = ""
    """`smtp://user:password@host:587?starttls=true` or `smtps://`; empty: mails go to a folder."""
    mail_from: str = "Aviary <no-reply@example.org>"
    """Sender of mails."""
    mail_concurrency: int = 4
    """Mails that one notifier sends at a time."""

    otlp_endpoint: str = ""
    """Base URL of a collector that takes spans by OTLP over HTTP, by default what
    `OTEL_EXPORTER_OTLP_ENDPOINT` says; with both empty there are no spans."""
    otlp_ratio: float = 1.0
    """Share of traces that are collected where the caller's `traceparent` does not decide it."""

    log_level: str = "info"
    """Lowest level that is logged: debug, info, warning or error."""
    reflection: bool = True
    """Whether gRPC reflection is served; switch it off in production."""
    drain_seconds: float = 10.0
    """How long calls in flight may take to finish after SIGTERM."""
    pool_size: int = 8
    """PostgreSQL connections of one process, at most."""
    max_in_flight: int = 512
    """Calls that one replica works on at a time; beyond it, RESOURCE_EXHAUSTED at once."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings, refusing variables that no setting reads."""
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        values: dict[str, object] = {"otlp_endpoint": environ.get(OTLP_ENDPOINT, "")}
        for name, text in environ.items():
            if not name.startswith(PREFIX):
                continue
            if name not in known:
                raise UnknownSettingError(
                    f"{name} is not a setting of Aviary; see docs/settings.md"
                )
            if text != "":
                values[known[name].name] = _parse(name, text, str(known[name].type))
        return cls(**values)  # type: ignore[arg-type]

    def to_environ(self) -> dict[str, str]:
        """The variables that make a child process read these same settings."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            PREFIX + name.upper(): _format(value)
            for name, value in named.items()
            if value is not None and value != ""
        }

    @property
    def run_folder(self) -> Path:
        """Folder of sockets and state of running processes."""
        return self.home / "run"

    @property
    def signing_key_path(self) -> Path:
        """Where the private signing key is."""
        return self.signing_key_file or self.home / "keys" / "signing.pem"

    @property
    def vapid_key_path(self) -> Path:
        """Where the key for push services is."""
        return self.vapid_key_file or self.home / "keys" / "vapid.pem"

    @property
    def media_folder(self) -> Path:
        """Where media are while no object store is named."""
        return self.home / "media"

    @property
    def uploads_path(self) -> Path:
        """Where uploads under way are."""
        return self.upload_folder or self.home / "uploads"

    @property
    def outbox_folder(self) -> Path:
        """Where mails go while there is no mail server."""
        return self.home / "outbox"

    def certificates(self, process: str) -> Path:
        """Where the certificate of a process is."""
        return self.certificate_folder or self.home / "certificates" / process

    @property
    def jwks_path(self) -> Path:
        """Where the public keys are."""
        return self.jwks_file or self.home / "keys" / "jwks.json"


def _parse(name: str, text: str, kind: str) -> object:
    try:
        if "Path" in kind:
            return Path(text).expanduser()
        if "bool" in kind:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if "int" in kind:
            return int(text)
        if "float" in kind:
            return float(text)
    except (ValueError, KeyError):
        raise UnknownSettingError(f"{name}={text!r} is not a valid {kind}") from None
    return text


def _format(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
