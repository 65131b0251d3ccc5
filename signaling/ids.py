"""Names that cannot be guessed, and the hashes under which secrets are kept."""

import hashlib
import hmac
import secrets

# No i, l, o, 0, 1: a room's name is read out over the telephone.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def room_id() -> str:
    """Twelve letters in three groups, about 59 bits: `k3f9-xq2m-7pdw`."""
    letters = _letters(12)
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def short_id(prefix: str) -> str:
    """A row's public name: prefix `p` participant, `r` recording, `s` segment, `a` artifact."""
    return prefix + _letters(11)


def token(prefix: str) -> str:
    """A bearer secret with 192 bits of chance, e.g. `hk_…`."""
    return f"{prefix}_{secrets.token_urlsafe(24)}"


def digest(secret: str) -> str:
    """What is stored instead of a secret. A plain hash is enough: the secret has 192 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare without telling by the time it takes where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())
