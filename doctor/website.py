"""The server as a browser meets it: reachable, secure, uncached, on time; and whether the recorder's key opens it."""

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from doctor.finding import Finding, failed, ok, skipped, warning

LIMIT_S = 5.0
CLOCKS_APART_S = 30.0
SOON_DAYS = 14
HERE = ("localhost", "127.0.0.1", "::1")


async def website(public_url: str, server_url: str, recorder_key: str, ca_file: str | None) -> list[Finding]:
    url = (public_url or server_url).rstrip("/")
    trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
    async with httpx.AsyncClient(verify=trust, timeout=LIMIT_S, trust_env=False) as client:
        try:
            response = await client.get(f"{url}/healthz")
        except httpx.TransportError as error:
            return [_unreachable(url, error)]
        if response.status_code != 200 or "ok" not in response.text:
            mend = "Something else answers there: check the reverse proxy and LETTERBOX_PUBLIC_URL."
            return [failed("server", f"{url}/healthz answered {response.status_code}.", mend)]
        return [
            ok("server", f"{url} answers."),
            _clock(response),
            await _ready(client, url),
            await _uncached(client, url),
            await _key(client, url, recorder_key),
            _secure(url, response),
        ]


def _unreachable(url: str, error: Exception) -> Finding:
    if "CERTIFICATE" in str(error).upper():
        return failed(
            "certificate", f"The certificate of {url} is not accepted: {error}.",
            "Renew it, serve its whole chain, or name the authority of your own in LETTERBOX_CA_FILE.",
        )  # fmt: skip
    return failed(
        "server", f"{url} cannot be reached: {error or type(error).__name__}.",
        "Start it, and check LETTERBOX_PUBLIC_URL, the name's DNS entry and the firewall.",
    )  # fmt: skip


def _clock(response: httpx.Response) -> Finding:
    if "date" not in response.headers:
        return skipped("server's clock", "It does not say its time.")
    apart_s = (parsedate_to_datetime(response.headers["date"]) - datetime.now(UTC)).total_seconds()
    if abs(apart_s) > CLOCKS_APART_S:
        return failed("server's clock", f"It is {apart_s:+.0f} s from this machine's.", "Set both by NTP.")
    return ok("server's clock", "It agrees with this machine's.")


async def _ready(client: httpx.AsyncClient, url: str) -> Finding:
    status = (await client.get(f"{url}/readyz")).status_code
    if status != 200:
        return failed("server's database", f"{url}/readyz answered {status}.", "See the web process's log.")
    return ok("server's database", "The server reaches its database.")


async def _uncached(client: httpx.AsyncClient, url: str) -> Finding:
    response = await client.get(f"{url}/api/v1/rooms/none")
    if "no-store" not in response.headers.get("cache-control", ""):
        return failed("caching", "Answers of the API may be cached on the way.", "The reverse proxy must keep `Cache-Control`.")
    return ok("caching", "Answers of the API are never cached.")


async def _key(client: httpx.AsyncClient, url: str, recorder_key: str) -> Finding:
    response = await client.get(f"{url}/api/v1/recordings/none", headers={"Authorization": f"Bearer {recorder_key}"})
    if response.status_code == 401:
        return failed("recorder's key", "The server does not know this key.", "Give both sides the same LETTERBOX_RECORDER_KEY.")
    return ok("recorder's key", "The server takes it.")


def _secure(url: str, response: httpx.Response) -> Finding:
    parts = urlsplit(url)
    if parts.scheme != "https":
        if parts.hostname in HERE:
            return warning(
                "secure page", "Only this machine's own browser gets camera and microphone.",
                "Serve HTTPS for others: a reverse proxy, or `make run HTTPS=1`; then set LETTERBOX_PUBLIC_URL.",
            )  # fmt: skip
        return failed("secure page", f"{url} is not secure: browsers give it no camera.", "Serve it by HTTPS.")
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    raw = tls.getpeercert(binary_form=True) if tls is not None else None
    if raw is None:
        return ok("secure page", "It is served by HTTPS.")
    days = (x509.load_der_x509_certificate(raw).not_valid_after_utc - datetime.now(UTC)).days
    if days < SOON_DAYS:
        return warning("certificate", f"It is valid for {days} more days.", "Renew it; certbot does so by itself.")
    return ok("certificate", f"It is valid for this name, for {days} more days.")
