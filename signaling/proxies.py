"""Where a request comes from: the client's own address, as far as what stands in front is to be believed.

A proxy adds whom it speaks to at the end of X-Forwarded-For; of `hops` proxies the first to be trusted is so many from the end.
What a stranger writes into that header is believed of nobody: only of those in `networks`, where any are named.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

Network = IPv4Network | IPv6Network
FORWARDED = "HTTP_X_FORWARDED_FOR"


def networks(text: str) -> tuple[str, ...]:
    """Addresses and networks, comma separated. Raises ValueError."""
    return tuple(str(ip_network(part.strip())) for part in text.split(",") if part.strip())


class Proxies:
    """Which peers are our own reverse proxies, and whom they speak for."""

    def __init__(self, hops: int, trusted: tuple[str, ...]) -> None:
        self.hops = hops
        self._networks = tuple(ip_network(one) for one in trusted)
        self.are_one = lru_cache(4096)(self._are_one)

    def _are_one(self, peer: str) -> bool:
        """Whether who has connected to us is a proxy of ours; "" is a socket in the file system, which only this machine has."""
        if self.hops == 0:
            return False
        if not self._networks or not peer:
            return True
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._networks)

    def client(self, peer: str, forwarded: str) -> str:
        """The client's address. forwarded: the X-Forwarded-For header, "" without one."""
        if not forwarded or not self.are_one(peer):
            return peer
        said = [part.strip() for part in forwarded.split(",")]
        return said[-self.hops] if len(said) >= self.hops else peer


class BelieveProxies:
    """WSGI: X-Forwarded-For, -Proto and -Host of our own proxies; of anybody else they are not there."""

    def __init__(self, app: Any, proxies: Proxies) -> None:
        hops = proxies.hops
        self._proxies, self._as_it_came = proxies, app
        self._behind = ProxyFix(app, x_for=hops, x_proto=hops, x_host=hops)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._proxies.are_one(environ.get("REMOTE_ADDR", "")):
            environ["letterbox.proxied"] = True
            return self._behind(environ, start_response)
        found: Iterable[bytes] = self._as_it_came(environ, start_response)
        return found


@lru_cache(4096)
def neighbourhood(address: str) -> str:
    """Whom a limit is for: an address; of IPv6 the network of 64 bits that one household has."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    plain = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(plain) if plain.version == 4 else str(ip_network((plain, 64), strict=False))
