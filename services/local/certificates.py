"""Certificates of a mesh on one machine: an authority of its own, and one for each kind of process.

In Kubernetes cert-manager does this. The files appear as those of a mounted secret do: a folder
`..data` is replaced by a rename, so that whoever watches sees all of them change at once.
"""

import os
import shutil
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.chassis.hosts.mesh import CHAIN, KEY, TRUSTED, spiffe

LIFETIME = timedelta(days=30)
DATA = "..data"
Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs certificates; its key stays in memory, so each start of a mesh has another one."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aviary mesh")])
        self._name = name
        builder = _builder(name, name, self._key.public_key())
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = builder.sign(self._key, hashes.SHA256())

    def issue(self, folder: Path, process: str, trusted: Iterable[x509.Certificate] = ()) -> None:
        """Put a new key and certificate of a process into its folder, and whom it trusts."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, process)])
        names = x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier(spiffe(process)), x509.DNSName(process)]
        )
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _builder(subject, self._name, key.public_key())
            .add_extension(names, critical=False)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        authorities = [self.certificate, *trusted]
        _replace(
            folder,
            {
                CHAIN: _pem(certificate),
                KEY: _key_pem(key),
                TRUSTED: b"".join(_pem(one) for one in authorities),
            },
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = folder / DATA
    before = old.resolve() if old.is_symlink() else None
    new = folder / f"..{time.time_ns()}"
    new.mkdir(mode=0o700)
    for name, content in files.items():
        with os.fdopen(os.open(new / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(Path(DATA) / name)
    half = folder / f"{DATA}.new"
    half.unlink(missing_ok=True)
    half.symlink_to(new.name)
    half.replace(old)
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
