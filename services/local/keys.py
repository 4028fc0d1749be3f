"""The keys that sign access tokens and name us to push services, made on the first start."""

import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.chassis.config import Settings
from services.chassis.tokens import public_jwk
from services.local.errors import HomeUnusableError


def ensure_keys(settings: Settings) -> None:
    """Make the private key (PEM) if it is absent, and publish its public half in the JWKS.

    To rotate: put another key in place and start again; the JWKS keeps the earlier public keys.
    """
    try:
        key = _private_key(settings.signing_key_path)
        _publish(key, settings.jwks_path)
        if not settings.vapid_key_path.exists():
            _write(settings.vapid_key_path, _pem(ec.generate_private_key(ec.SECP256R1())), 0o600)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = f"the signing keys cannot be read or written ({error})"
        raise HomeUnusableError(settings.signing_key_path.parent, reason) from error


def _private_key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        _write(path, _pem(made), 0o600)
        return made
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} is not an Ed25519 key")
    return key


def _pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _publish(key: Ed25519PrivateKey, path: Path) -> None:
    keys = json.loads(path.read_text())["keys"] if path.exists() else []
    jwk = public_jwk(key)
    if all(known.get("kid") != jwk["kid"] for known in keys):
        _write(path, json.dumps({"keys": [jwk, *keys]}, indent=2).encode(), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Let the file appear whole and with its mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    half.replace(path)
