"""Access tokens: short JWTs signed with Ed25519, verified by the edge and, in bodies, by us."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_encode

from .call import Caller
from .errors import TokenInvalidError

ISSUER = AUDIENCE = "aviary"
ALGORITHM = "EdDSA"
LIFETIME_SECONDS = 900
DEFAULT_PLAN = "free"


class TokenSigner:
    """Signs with the private key; only the Graph service, and whoever runs the mesh, has it."""

    def __init__(self, key_path: Path) -> None:
        key = load_pem_private_key(key_path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{key_path} holds no Ed25519 key")
        self._key = key
        self._key_id = public_jwk(key)["kid"]

    def sign(
        self,
        user_id: int,
        *,
        plan: str = DEFAULT_PLAN,
        scopes: Iterable[str] = (),
        session_id: int = 0,
        lifetime: float = LIFETIME_SECONDS,
    ) -> str:
        """A token that lets its bearer act as the user for `lifetime` seconds."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "iat": now,
            "exp": now + int(lifetime),
            "scope": " ".join(scopes),
            "plan": plan,
            "sid": str(session_id),
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self._key_id})


class TokenVerifier:
    """Verifies with the public keys of a JWKS file."""

    def __init__(self, jwks_path: Path) -> None:
        keys = jwt.PyJWKSet.from_dict(json.loads(jwks_path.read_text())).keys
        self._keys = {key.key_id: key for key in keys}

    def verify(self, token: str) -> Caller:
        """Whoever the token speaks for; TOKEN_INVALID for anything but a token of ours."""
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER,
                options={"require": ["exp", "sub"]},
            )  # fmt: skip
            return Caller(int(claims["sub"]), frozenset(claims["scope"].split()), claims["plan"])
        except (jwt.PyJWTError, KeyError, ValueError, AttributeError):
            raise TokenInvalidError from None


def public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    """The public half as the JWKS holds it; its `kid` is the RFC 7638 thumbprint."""
    jwk: dict[str, str] = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    kid = base64url_encode(hashlib.sha256(members.encode()).digest()).decode()
    return {**jwk, "alg": ALGORITHM, "use": "sig", "kid": kid}
