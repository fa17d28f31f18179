"""A security key in software, which also does what no real one would."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One credential for one host."""

    origin: str = "http://localhost:8080"
    rp_id: str = "localhost"
    verifies: bool = True  # whether it asks for a PIN
    counter: int = 0
    user_handle: str | None = None
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def make(self, options: dict[str, Any]) -> str:
        """What the browser answers when asked for a new passkey."""
        self.user_handle = options["user"]["id"]
        public = dict(ES256.from_cryptography_key(self.private.public_key()))  # type: ignore[no-untyped-call]
        attested = (
            bytes(16)
            + len(self.credential_id).to_bytes(2, "big")
            + self.credential_id
            + cbor.encode(public)
        )
        data = self._data(_ATTESTED) + attested
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", options["challenge"]),
            attestationObject=attestation,
        )

    def use(self, options: dict[str, Any], **client_data: Any) -> str:
        """What the browser answers when asked for this passkey."""
        data = self._data(0)
        said = self._client_data("webauthn.get", options["challenge"], **client_data)
        signature = self.private.sign(
            data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256())
        )
        return self._answer(
            clientDataJSON=said, authenticatorData=data, signature=signature, userHandle=None
        )

    def _data(self, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        identity = hashlib.sha256(self.rp_id.encode()).digest()
        return identity + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: str, **more: Any) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, **more}
        ).encode()

    def _answer(self, **response: bytes | None) -> str:
        identity = websafe_encode(self.credential_id)
        encoded: dict[str, Any] = {
            name: websafe_encode(value) for name, value in response.items() if value is not None
        }
        if "userHandle" in response and self.user_handle is not None:
            encoded["userHandle"] = self.user_handle
        return json.dumps(
            {"id": identity, "rawId": identity, "type": "public-key", "response": encoded}
        )
