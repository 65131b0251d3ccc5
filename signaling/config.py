"""Settings: read once from the environment, checked at the start, passed on.

Each field is one `LETTERBOX_…` variable (docs/settings.md). A value that cannot be
used stops the start with the variable's name and what it should look like.
"""

import base64
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from limits import parse

from signaling import proxies


class BadSetting(Exception):
    """A variable holds something unusable; the text names it and says how to mend it."""


def _urls(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def _origins(text: str) -> tuple[str, ...]:
    """Origins as browsers write them (RFC 6454 section 6.2). Raises ValueError."""
    found = []
    for part in _urls(text):
        origin = part.lower()
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{part!r} is no origin; write https://intranet.example, without a path or a slash at the end")
        scheme = origin.partition(":")[0]
        found.append(origin.removesuffix(_DEFAULT_PORTS.get(scheme, "")) if origin.count(":") > 1 else origin)
    return tuple(dict.fromkeys(found))


def read_rate(text: str) -> str:
    """A rate as it is written, once it can be read. Raises BadSetting."""
    try:
        parse(text)
    except ValueError as error:
        raise BadSetting(f"The rate {text!r} cannot be used: write it like `30/hour` or `100/second`.") from error
    return text


def _yes(text: str) -> bool:
    if text.lower() not in ("yes", "no", "1", "0", "true", "false"):
        raise ValueError("say `yes` or `no`")
    return text.lower() in ("yes", "1", "true")


def _setting(default: Any, read: Callable[[str], Any], about: str) -> Any:
    return field(default=default, metadata={"read": read, "about": about})


@dataclass(frozen=True)
class Settings:
    """What an administrator can decide. `about` texts are the table of docs/settings.md."""

    data_dir: Path = _setting(Path("data"), Path, "where the database, the secrets and the files live")
    database_url: str = _setting(
        "", str, "SQLAlchemy URL; empty: SQLite in the data folder; `postgresql+psycopg://…` for many nodes"
    )
    storage_url: str = _setting(
        "", str, "where recordings are kept; empty: in the data folder; `s3://bucket/prefix?endpoint=https://…&region=…`"
    )
    downloads: str = _setting("app", str, "downloads come through the `app`, or, with S3, by `signed` addresses from the storage")
    durability: str = _setting(
        "process",
        str,
        "what a 2xx survives: `process` (a crash of Letterbox) or `power` (a power cut; an fsync per commit)",
    )
    public_url: str = _setting("", str, "the address people open, e.g. `https://call.example`; empty: as the browser asked")
    recorder_key: str = _setting("", str, "shared secret of server, recorder and workers; empty: made on first run")
    secret_key: str = _setting("", str, "signs download links; empty: made on first run")
    wait_s: int = _setting(25, int, "how long a poll with nothing to say is held, seconds")
    grace_s: int = _setting(22, int, "how long a participant may be silent before it counts as gone, seconds")
    lease_s: int = _setting(10, int, "a recorder that is silent for so long has lost its recording, seconds")
    job_lease_s: int = _setting(30, int, "a worker that is silent for so long has lost its step, seconds")
    max_participants: int = _setting(12, int, "people in one room")
    max_message_bytes: int = _setting(65_536, int, "one message's body")
    max_body_bytes: int = _setting(1_048_576, int, "one request's body, uploads apart")
    max_piece_bytes: int = _setting(8_388_608, int, "one piece of an upload")
    max_mailbox: int = _setting(1_000, int, "messages waiting in one mailbox")
    hot_path: str = _setting("direct", str, "polls and messages on our own worker: `direct`, or all through `flask`")
    room_creation: str = _setting(
        "open", str, "who may make rooms: `open` (anybody), `key` (who has LETTERBOX_ROOM_KEY), `admin` (administrators)"
    )
    room_key: str = _setting("", str, "with LETTERBOX_ROOM_CREATION=key: what one has to know to make a room")
    admin_key: str = _setting("", str, "opens /admin, at least 16 characters; empty: no signing in by key (docs/admin.md)")
    admin_header: str = _setting(
        "", str, "header in which a reverse proxy with single sign-on says who it is, e.g. `X-Remote-User`"
    )
    admins: tuple[str, ...] = _setting(
        (), _urls, "who that, or OpenID Connect, lets in: names or e-mail addresses, comma separated"
    )
    oidc_issuer: str = _setting("", str, "sign in to /admin by OpenID Connect: the provider, e.g. `https://login.example`")
    oidc_client_id: str = _setting("", str, "our name at that provider")
    oidc_client_secret: str = _setting("", str, "our secret at that provider")
    audit_days: int = _setting(365, int, "how long the audit log is kept, days")
    max_rooms: int = _setting(100_000, int, "open rooms in all")
    max_recordings: int = _setting(100_000, int, "recordings in all; no more is begun then")
    max_storage_gb: int = _setting(0, int, "what recordings may take before no more is begun, GB; `0`: all there is")
    min_free_mb: int = _setting(500, int, "less free on the disk of recordings, and no more is begun, MB")
    calls_per_address: str = _setting("3000/minute", str, "calls and pages from one address, polls and messages apart")
    calls_per_room: str = _setting("6000/minute", str, "calls about one room, polls and messages apart")
    calls_per_token: str = _setting("1200/minute", str, "calls with one token, polls and messages apart")
    polls_per_participant: str = _setting("500/second", str, "polls of one participant, in each web process")
    messages_and_polls_per_address: str = _setting(
        "5000/second", str, "polls and POST /messages from one address, in each web process"
    )
    rooms_per_address: str = _setting(
        "120/hour", str, "rooms one address (a whole house, behind a proxy) may make; a rate like `30/hour`"
    )
    joins_per_address: str = _setting("120/minute", str, "joins from one address")
    sends_per_participant: str = _setting("100/second", str, "POST /messages of one participant, in each web process")
    codes_per_address: str = _setting("10/minute", str, "wrong room codes from one address at one room")
    codes_per_room: str = _setting("100/hour", str, "wrong codes at one room, from wherever they come")
    passwords_per_share: str = _setting("10/minute", str, "passwords tried at one share link")
    guesses_per_address: str = _setting("20/minute", str, "wrong tokens from one address")
    keys_per_address: str = _setting(
        "10/minute", str, "wrong host, room and admin keys from one address; no key is looked at then, nor a right one"
    )
    checks_per_address: str = _setting("60/minute", str, "connection checks, and looks for a path before joining")
    limits_storage: str = _setting(
        "", str, "where rates are counted together, e.g. `redis://host:6379`; empty: in PostgreSQL, else by each process"
    )
    trusted_proxies: int = _setting(0, int, "how many reverse proxies stand in front and set X-Forwarded-For")
    proxy_addresses: tuple[str, ...] = _setting(
        (),
        proxies.networks,
        "addresses or networks of these proxies, comma separated; of others the header is ignored; empty: all are believed",
    )
    stun_urls: tuple[str, ...] = _setting((), _urls, "STUN servers, comma separated, e.g. `stun:turn.example:3478`")
    turn_urls: tuple[str, ...] = _setting(
        (), _urls, "TURN servers, comma separated, e.g. `turn:turn.example:3478,turns:turn.example:443?transport=tcp`"
    )
    turn_secret: str = _setting("", str, "coturn's static-auth-secret")
    turn_ttl_s: int = _setting(14_400, int, "how long a TURN credential lasts, seconds; renewed by itself in a longer call")
    http_media: bool = _setting(
        True, _yes, "whether media goes through this server where nothing else passes, sealed by the browsers: `yes` or `no`"
    )
    chunks_url: str = _setting(
        "", str, "where web processes share media over HTTP, e.g. `redis://host:6379/1`; needed where there is more than one"
    )
    web_workers: int = _setting(1, int, "web processes")
    http_media_kbit: int = _setting(2_500, int, "what one participant may send over HTTP, kbit/s")
    http_media_streams: int = _setting(48, int, "streams over HTTP in one room")
    http_media_rooms: int = _setting(100, int, "rooms over HTTP in one web process")
    http_media_mb: int = _setting(256, int, "media held in one web process, MB")
    consent: str = _setting(
        "ask",
        str,
        "who may be recorded: `ask` each one, or `notice` (being in a recorded call counts as consent once it was clearly said; "
        "declining stays possible)",
    )
    relay_only: bool = _setting(
        False, _yes, "`yes`: all media goes over TURN, so that nobody in a call learns another's address"
    )
    embed_origins: tuple[str, ...] = _setting(
        (),
        _origins,
        "other sites that may show a room in a frame and whose scripts may call the API, comma separated, e.g. "
        "`https://intranet.example`; `*`: all; empty: none (docs/embed.md)",
    )
    webhook_url: str = _setting(
        "",
        str,
        "told of recordings that start, are ready, fail or are deleted, e.g. `https://crm.example/letterbox`; empty: nobody "
        "(docs/webhooks.md)",
    )
    webhook_secret: str = _setting("", str, "signs what is told there: `whsec_` and 24 to 64 random bytes in base64")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings of this environment. Raises BadSetting."""
        values: dict[str, Any] = {}
        for item in fields(cls):
            text = environ.get(variable(item.name))
            if text is None or text == "":
                continue
            try:
                values[item.name] = item.metadata["read"](text)
            except ValueError as error:
                raise BadSetting(
                    f"{variable(item.name)}={text!r} cannot be used: {error}. It means: {item.metadata['about']}."
                ) from error
        if "database_url" not in values and environ.get("DATABASE_URL"):
            values["database_url"] = environ["DATABASE_URL"]
        return with_secrets(_checked(cls(**values)))

    @property
    def sqlalchemy_url(self) -> str:
        """The database's address in SQLAlchemy's form, the psycopg 3 driver for PostgreSQL."""
        if not self.database_url:
            return f"sqlite:///{(self.data_dir / 'letterbox.db').resolve()}"
        for plain in ("postgresql://", "postgres://"):
            if self.database_url.startswith(plain):
                return "postgresql+psycopg://" + self.database_url.removeprefix(plain)
        return self.database_url


def variable(name: str) -> str:
    """The environment variable of a field."""
    return f"LETTERBOX_{name.upper()}"


def _checked(settings: Settings) -> Settings:
    if settings.durability not in ("process", "power"):
        raise BadSetting(f"LETTERBOX_DURABILITY={settings.durability!r} cannot be used: say `process` or `power`.")
    if settings.downloads not in ("app", "signed"):
        raise BadSetting(f"LETTERBOX_DOWNLOADS={settings.downloads!r} cannot be used: say `app` or `signed`.")
    if settings.storage_url and not settings.storage_url.startswith("s3://"):
        raise BadSetting(f"LETTERBOX_STORAGE_URL={settings.storage_url!r} cannot be used: say s3://bucket/prefix?endpoint=https://…")
    if settings.chunks_url and not settings.chunks_url.startswith(("redis://", "rediss://")):
        raise BadSetting(f"LETTERBOX_CHUNKS_URL={settings.chunks_url!r} cannot be used: write it like redis://host:6379/1.")
    if settings.hot_path not in ("direct", "flask"):
        raise BadSetting(f"LETTERBOX_HOT_PATH={settings.hot_path!r} cannot be used: say `direct` or `flask`.")
    if settings.consent not in ("ask", "notice"):
        raise BadSetting(f"LETTERBOX_CONSENT={settings.consent!r} cannot be used: say `ask` or `notice`.")
    for item in fields(settings):
        value = getattr(settings, item.name)
        if type(value) is int and (value < 0 or (value == 0 and item.name not in ("trusted_proxies", "max_storage_gb"))):
            raise BadSetting(f"{variable(item.name)}={value} cannot be used: it must be above zero ({item.metadata['about']}).")
    if settings.turn_urls and not settings.turn_secret:
        raise BadSetting("LETTERBOX_TURN_URLS is set but LETTERBOX_TURN_SECRET is not: give coturn's static-auth-secret.")
    if settings.relay_only and not settings.turn_urls:
        raise BadSetting("LETTERBOX_RELAY_ONLY=yes needs a TURN server: set LETTERBOX_TURN_URLS, or no call can connect.")
    _check_webhooks(settings)
    _check_access(settings)
    for name, schemes in (("stun_urls", ("stun:", "stuns:")), ("turn_urls", ("turn:", "turns:"))):
        for url in getattr(settings, name):
            if not url.startswith(schemes) or url.split(":", 1)[1].startswith("//"):
                raise BadSetting(
                    f"{variable(name)} holds {url!r}, which cannot be used: write it like {schemes[0]}host:3478."
                )
    return settings


def _check_access(settings: Settings) -> None:
    if settings.room_creation not in ("open", "key", "admin"):
        raise BadSetting(f"LETTERBOX_ROOM_CREATION={settings.room_creation!r} cannot be used: say `open`, `key` or `admin`.")
    if settings.room_creation == "key" and len(settings.room_key) < 8:
        raise BadSetting("LETTERBOX_ROOM_CREATION=key needs a LETTERBOX_ROOM_KEY of 8 characters or more.")
    if settings.admin_key and len(settings.admin_key) < 16:
        raise BadSetting('LETTERBOX_ADMIN_KEY is too short: 16 characters or more. Make one: echo "ak_$(openssl rand -hex 24)"')
    if settings.admin_header and not (settings.trusted_proxies and settings.proxy_addresses):
        raise BadSetting(
            "LETTERBOX_ADMIN_HEADER is believed of a reverse proxy only: say LETTERBOX_TRUSTED_PROXIES and "
            "LETTERBOX_PROXY_ADDRESSES."
        )
    if settings.oidc_issuer and not (settings.oidc_client_id and settings.oidc_client_secret):
        raise BadSetting("LETTERBOX_OIDC_ISSUER needs LETTERBOX_OIDC_CLIENT_ID and LETTERBOX_OIDC_CLIENT_SECRET.")
    if (settings.admin_header or settings.oidc_issuer) and not settings.admins:
        raise BadSetting("Say in LETTERBOX_ADMINS who may sign in: names or e-mail addresses, comma separated.")


def _check_webhooks(settings: Settings) -> None:
    if not settings.webhook_url:
        return
    parts = urlsplit(settings.webhook_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSetting("LETTERBOX_WEBHOOK_URL cannot be used: write it like https://crm.example/letterbox.")
    try:
        length = len(base64.b64decode(settings.webhook_secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        length = 0
    if not settings.webhook_secret.startswith("whsec_") or not 24 <= length <= 64:
        raise BadSetting(
            "LETTERBOX_WEBHOOK_URL needs a LETTERBOX_WEBHOOK_SECRET of `whsec_` and 24 to 64 bytes in base64. "
            'Make one: echo "whsec_$(openssl rand -base64 32)"'
        )


def with_secrets(settings: Settings) -> Settings:
    """The settings with what must be secret filled in: made once, kept in the data folder, readable by the owner alone."""
    if settings.recorder_key and settings.secret_key:
        return settings
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / "secrets.json"
    if not path.exists():
        made = {"recorder_key": "rk_" + secrets.token_urlsafe(32), "secret_key": secrets.token_urlsafe(32)}
        try:
            # O_EXCL: of two processes that start at once, one makes the file and both read it.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(made, file)
        except FileExistsError:
            pass
    kept = json.loads(path.read_text())
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    return Settings(**values | {name: values[name] or kept[name] for name in ("recorder_key", "secret_key")})
