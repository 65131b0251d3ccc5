"""The seal of chunks: AES-256-GCM, with a sender's keys wrapped for each who may read (PROTOCOL.md, "Media over plain HTTP").

The server passes on what it cannot read. The recorder is keyed as any other participant.
"""

import base64
import secrets
import struct
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INFO = b"letterbox chunk key"
IV_BYTES = 12
# A sender takes a new key when somebody leaves; chunks under the one before may still be on their way.
MOST_KEYS = 8


class KeyPair:
    """Ours, for as long as we are in the room."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def shared(self, other: bytes) -> AESGCM:
        """The key that wraps what this other one and we tell each other. Raises ValueError for what is no point of the curve."""
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), other)
        salt = b"".join(sorted((self.public, other)))
        return AESGCM(HKDF(SHA256(), 32, salt, INFO).derive(self._private.exchange(ec.ECDH(), point)))


class Keys:
    """What one sender's chunks are sealed with. public: of that sender."""

    def __init__(self, ours: KeyPair, public: str) -> None:
        self.public = public
        self._wrapping = ours.shared(base64.b64decode(public))
        self._by_epoch: dict[int, AESGCM] = {}

    def add(self, epoch: int, wrapped: str) -> None:
        """Raises ValueError for what was not wrapped for us."""
        data = base64.b64decode(wrapped)
        try:
            self._by_epoch[epoch] = AESGCM(self._wrapping.decrypt(data[:IV_BYTES], data[IV_BYTES:], None))
        except InvalidTag:
            raise ValueError("this key was not wrapped for us") from None
        while len(self._by_epoch) > MOST_KEYS:
            del self._by_epoch[min(self._by_epoch)]

    def ours(self) -> dict[str, Any]:
        """The body of a `chunk-key` message with a key of ours, which seals nothing: who gets one knows that we are there."""
        iv = secrets.token_bytes(IV_BYTES)
        wrapped = iv + self._wrapping.encrypt(iv, AESGCM.generate_key(256), None)
        return {"epoch": 1, "wrapped": base64.b64encode(wrapped).decode()}

    def unseal(self, stream: int, flags: int, n: int, sealed: bytes) -> bytes | None:
        """None: its key is not here yet. Raises ValueError for what this sender did not seal."""
        if len(sealed) < 4:
            raise ValueError("no chunk is so short")
        key = self._by_epoch.get(int.from_bytes(sealed[:4], "big"))
        if key is None:
            return None
        nonce = struct.pack(">B3xQ", stream, n)
        try:
            return key.decrypt(nonce, sealed[4:], struct.pack(">BBI", stream, flags, n))
        except InvalidTag:
            raise ValueError("the seal is broken") from None
