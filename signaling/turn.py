"""ICE servers for a participant, with TURN credentials that expire by themselves."""

import base64
import hashlib
import hmac
from typing import Any

from signaling.config import Settings


def credentials(secret: str, participant_id: str, expires_at_s: int) -> tuple[str, str]:
    """A TURN username and password.

    The username is "<unix seconds of expiry>:<participant id>", the password base64(HMAC-SHA1(secret, username)), as coturn's
    use-auth-secret expects (draft-uberti-behave-turn-rest-00, section 2.2).
    """
    username = f"{expires_at_s}:{participant_id}"
    mac = hmac.new(secret.encode(), username.encode(), hashlib.sha1)
    return username, base64.b64encode(mac.digest()).decode()


def ice_servers(settings: Settings, participant_id: str, now_s: int) -> list[dict[str, Any]]:
    """RTCIceServer dictionaries (W3C WebRTC 1.0 section 4.2.4). None are made up: no third party is asked by default."""
    servers: list[dict[str, Any]] = []
    if settings.stun_urls:
        servers.append({"urls": list(settings.stun_urls)})
    if settings.turn_urls:
        username, password = credentials(settings.turn_secret, participant_id, now_s + settings.turn_ttl_s)
        servers.append({"urls": list(settings.turn_urls), "username": username, "credential": password})
    return servers
