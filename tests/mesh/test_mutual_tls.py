"""The mesh: strangers and plaintext stay outside, names decide, a rotation drops nothing."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from cryptography import x509

from aviary.tweet.v1.tweet_service_pb2 import BatchListUserTweetIdsRequest
from clients.channel import Peer
from clients.errors import PeerError
from clients.graph import GraphClient
from services.chassis.config import Settings
from services.chassis.hosts.mesh import called_by
from services.chassis.policy import Policy
from services.local.certificates import Authority
from services.local.folders import temporary_home
from services.local.mesh import Mesh, running

LIST = "/aviary.tweet.v1.TweetService/BatchListUserTweetIds"
INGEST = "/aviary.tweet.v1.TweetService/IngestTweets"
HEALTH = "/grpc.health.v1.Health/Check"
EMPTY = BatchListUserTweetIdsRequest().SerializeToString()


class Secure(NamedTuple):
    """A mesh of two services, and the authority of its certificates."""

    mesh: Mesh
    authority: Authority


@pytest.fixture(scope="module")
async def secure() -> AsyncIterator[Secure]:
    with temporary_home() as home:
        settings = Settings(home=home, edge_port=0, mesh=True)
        async with running(settings, services=("tweet", "graph", "fanout")) as mesh:
            authority = Authority()
            # Those who run trust this authority besides their own from now on.
            for name in ("tweet", "graph", "fanout"):
                mesh.authority.issue(home / "certificates" / name, name, [authority.certificate])
            yield Secure(mesh, authority)


async def call(
    mesh: Mesh, credentials: grpc.ChannelCredentials | None, path: str, port: str = "grpc"
) -> tuple[grpc.StatusCode, str]:
    """How one call to the Tweet service ends."""
    address = f"127.0.0.1:{mesh.ports('tweet')[port]}"
    options = [("grpc.ssl_target_name_override", "tweet"), ("grpc.use_local_subchannel_pool", 1)]
    channel = (
        grpc.aio.secure_channel(address, credentials, options=options)
        if credentials
        else grpc.aio.insecure_channel(address, options=options)
    )
    async with channel:
        try:
            await channel.unary_unary(path, bytes, bytes)(EMPTY, timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        return grpc.StatusCode.OK, ""


def credentials_of(folder: Path, roots: bytes = b"") -> grpc.ChannelCredentials:
    read = {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt")}
    return grpc.ssl_channel_credentials(roots or read["ca.crt"], read["tls.key"], read["tls.crt"])


def named(secure: Secure, process: str) -> grpc.ChannelCredentials:
    """A certificate of the mesh in this name."""
    with tempfile.TemporaryDirectory() as folder:
        secure.mesh.authority.issue(Path(folder) / process, process)
        return credentials_of(Path(folder) / process)


async def until_trusted(secure: Secure) -> None:
    """Envoy reads the files again soon after they have changed."""
    async with asyncio.timeout(10):
        while (await call(secure.mesh, named(secure, "timeline"), LIST))[0] != grpc.StatusCode.OK:
            await asyncio.sleep(0.1)


async def test_plaintext_is_refused(secure: Secure) -> None:
    code, _ = await call(secure.mesh, None, HEALTH)
    assert code == grpc.StatusCode.UNAVAILABLE
    # The same call in the clear is answered where probes ask: the port works, it was the caller.
    assert (await call(secure.mesh, None, HEALTH, "health"))[0] == grpc.StatusCode.OK


async def test_the_port_of_probes_leads_to_nothing_else(secure: Secure) -> None:
    assert (await call(secure.mesh, None, LIST, "health"))[0] == grpc.StatusCode.UNIMPLEMENTED


async def test_a_strangers_certificate_is_refused(secure: Secure, tmp_path: Path) -> None:
    stranger = Authority()
    stranger.issue(tmp_path / "timeline", "timeline")
    roots = (secure.mesh.folders.home / "certificates/tweet/ca.crt").read_bytes()
    code, _ = await call(secure.mesh, credentials_of(tmp_path / "timeline", roots), LIST)
    assert code == grpc.StatusCode.UNAVAILABLE
    await until_trusted(secure)  # the same name under the mesh's own authority is let in


@pytest.mark.parametrize(
    ("process", "path", "expected"),
    [
        ("timeline", LIST, grpc.StatusCode.OK),
        ("fanout", LIST, grpc.StatusCode.OK),
        ("search", LIST, grpc.StatusCode.PERMISSION_DENIED),
        ("graph", LIST, grpc.StatusCode.PERMISSION_DENIED),
        ("edge", LIST, grpc.StatusCode.PERMISSION_DENIED),
        ("timeline", INGEST, grpc.StatusCode.PERMISSION_DENIED),
        ("graph", HEALTH, grpc.StatusCode.OK),
    ],
)
async def test_the_table_decides_by_name(
    secure: Secure, process: str, path: str, expected: grpc.StatusCode
) -> None:
    assert (await call(secure.mesh, named(secure, process), path))[0] == expected


async def test_the_way_out_carries_the_processs_own_name(secure: Secure) -> None:
    way = secure.mesh.ports("fanout")["egress"]
    async with Peer("tweet", f"tweet@127.0.0.1:{way}") as peer:
        listed = peer.unary(LIST, bytes)
        assert await listed(BatchListUserTweetIdsRequest()) is not None
    async with Peer("tweet", f"tweet@127.0.0.1:{secure.mesh.ports('graph')['egress']}") as peer:
        listed = peer.unary(LIST, bytes)
        with pytest.raises(PeerError) as refused:  # Graph calls nobody, so it has no way there
            await listed(BatchListUserTweetIdsRequest())
    assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_rotation_drops_nothing(secure: Secure) -> None:
    folder = secure.mesh.folders.home / "certificates"
    outcomes: list[str] = []
    done = asyncio.Event()

    async def keep_calling(graph: GraphClient) -> None:
        while not done.is_set():
            try:
                await graph.lookup("nobody")
            except PeerError as error:
                outcomes.append(error.code.name)
            await asyncio.sleep(0.002)

    way = secure.mesh.ports("tweet")["egress"]
    async with GraphClient(f"graph@127.0.0.1:{way}") as graph:
        calling = [asyncio.create_task(keep_calling(graph)) for _ in range(4)]
        for _ in range(3):
            await asyncio.sleep(0.7)
            for name in ("tweet", "graph"):
                secure.authority.issue(folder / name, name, [secure.mesh.authority.certificate])
        await asyncio.sleep(0.7)
        done.set()
        await asyncio.gather(*calling)
    assert len(outcomes) > 100
    assert set(outcomes) == {"NOT_FOUND"}
    assert await shown(secure, "graph") == serial_of(folder / "graph/tls.crt")


async def shown(secure: Secure, process: str) -> str:
    """The serial number of the certificate that a service shows now."""
    with tempfile.TemporaryDirectory() as folder:
        secure.mesh.authority.issue(Path(folder) / "timeline", "timeline")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        own = Path(folder) / "timeline"
        context.load_cert_chain(own / "tls.crt", own / "tls.key")
    port = secure.mesh.ports(process)["grpc"]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return str(x509.load_der_x509_certificate(found).serial_number)


def serial_of(file: Path) -> str:
    return str(x509.load_pem_x509_certificate(file.read_bytes()).serial_number)


def test_the_table_says_who_calls_whom() -> None:
    policy = Policy.load()
    assert called_by("tweet", policy) == {"graph"}
    assert called_by("graph", policy) == set()
    assert called_by("fanout", policy) == {"tweet", "graph"}
    assert called_by("search", policy) == {"tweet", "graph", "search"}
