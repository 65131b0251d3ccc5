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


# What somebody gets who only tries whether a path exists, seconds: long enough for a slow check, too short for a call.
TRIAL_S = 300


def ice(settings: Settings, who: str, now_s: int, lasts_s: int | None = None) -> dict[str, Any]:
    """What a browser needs to find a path: {"ice_servers", "ice_policy", "ice_lasts_s"}.

    ice_servers: RTCIceServer dictionaries (W3C WebRTC 1.0 section 4.2.4). None are made up: no third party is asked by default.
    ice_policy: RTCIceTransportPolicy. ice_lasts_s: for how long the TURN credentials are taken, None without any:
    a length, because clocks differ.
    who: participant id, in the TURN server's logs and quotas. lasts_s: in place of the setting.
    """
    lasts_s = lasts_s or settings.turn_ttl_s
    servers: list[dict[str, Any]] = []
    if settings.stun_urls:
        servers.append({"urls": list(settings.stun_urls)})
    if settings.turn_urls:
        username, password = credentials(settings.turn_secret, who, now_s + lasts_s)
        servers.append({"urls": list(settings.turn_urls), "username": username, "credential": password})
    return {
        "ice_servers": servers,
        "ice_policy": "relay" if settings.relay_only else "all",
        "ice_lasts_s": lasts_s if settings.turn_urls else None,
    }
