"""What runs in the lab: certificates, a name server, TURN, proxies, the house, browsers."""

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, BrowserType, ProxySettings

from tests.journeys.house import CHROMIUM, FLAGS, ROOT, WholeHouse
from tests.networks.lab import NAMES, PLAIN, PROXY_PORT, SIDES, TURN, WEB, Lab
from tests.people import eventually

SECRET = "lab-secret"
# Where no CONNECT passes there is no TLS; a company may have its browsers trust a page all the same.
TRUSTED = "--unsafely-treat-insecure-origin-as-secure=http://call.test"
TURN_URLS = (
    "turn:turn.test:3478", "turn:turn.test:3478?transport=tcp", "turns:turn.test:443?transport=tcp",
    "turn:turn.test:443?transport=tcp", f"turn:{TURN}:443?transport=tcp",
)  # fmt: skip


# -- certificates ----------------------------------------------------------------------------------------------------------------


def make_certificates(folder: Path, *addresses: str) -> None:
    """ca.pem, and certificate.pem with key.pem for all names and addresses of the lab, and these."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Letterbox lab")])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "call.test")])
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in (*NAMES.values(), *addresses)]
    ca = _certificate(ca_name, ca_name, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    server = _certificate(name, ca_name, key.public_key()).add_extension(x509.SubjectAlternativeName(names), critical=False)
    (folder / "ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "certificate.pem").write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    # What a proxy that opens TLS makes its certificates with; the company's browsers trust it.
    (folder / "opener.pem").write_bytes((folder / "ca.pem").read_bytes() + ca_key.private_bytes(*plain))


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(issuer).public_key(key).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    )  # fmt: skip


# -- servers ---------------------------------------------------------------------------------------------------------------------


def start_names(lab: Lab, side: str, silent: bool = False) -> subprocess.Popen[str]:
    """The name server this side's browser asks."""
    return _proxies(lab, f"gate-{side}", "dns", f"{SIDES[side]}.1", *(["silent"] if silent else []))


def shipped(folder: Path, secret: str, address: str) -> str:
    """deploy/coturn/turnserver.conf, filled in as its README says."""
    text = (ROOT / "deploy/coturn/turnserver.conf").read_text().replace("203.0.113.11", address)
    values = {
        "static-auth-secret": secret, "cert": f"{folder}/certificate.pem", "pkey": f"{folder}/key.pem",
        "userdb": f"{folder}/turn.db", "log-file": f"{folder}/turn.log", "pidfile": f"{folder}/turn.pid",
    }  # fmt: skip
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", text)
        assert count, name
    return text


class Turn:
    """coturn under the file we ship. It may not reach the server's own network: the recorder has to come to the relay as well."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._config = lab.folder / "turnserver.conf"
        self.start()

    def start(self, secret: str = SECRET) -> None:
        denied = f"denied-peer-ip={WEB}\ndenied-peer-ip={PLAIN}\n"
        self._config.write_text(shipped(self._lab.folder, secret, TURN) + denied)
        self._process = self._lab.start("server", "turnserver", "-c", str(self._config), log="turn.out")
        _wait_for_port(self._lab, "server", TURN, 443)

    def stop(self) -> None:
        stop(self._process)


def start_squid(lab: Lab, side: str, variant: str = "plain") -> subprocess.Popen[str]:
    """A company's proxy: CONNECT to 443 and nothing else.

    variant: plain, password (user / secret), idle (cuts after 10 s), opening (it opens TLS, and could read), requests (it lets
    ordinary requests through, and no CONNECT at all).
    """
    folder = lab.folder / f"squid-{side}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    passwords = folder / "passwords"
    hashed = subprocess.run(["openssl", "passwd", "-apr1", "secret"], capture_output=True, text=True, check=True).stdout
    passwords.write_text(f"user:{hashed}")
    rules = {
        "plain": "http_access allow all",
        "password": f"""auth_param basic program /usr/lib/squid/basic_ncsa_auth {passwords}
auth_param basic realm Company
acl known proxy_auth REQUIRED
http_access deny !known
http_access allow all""",
        "opening": f"""sslcrtd_program /usr/lib/squid/security_file_certgen -s {folder}/made -M 4MB
tls_outgoing_options cafile={lab.folder}/ca.pem
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
http_access allow all""",
        "requests": "http_access deny CONNECT\nhttp_access allow all",
        "idle": "read_timeout 10 seconds\nclient_idle_pconn_timeout 10 seconds\nhttp_access allow all",
    }
    opens = ""
    if variant == "opening":
        shutil.rmtree(folder / "made", ignore_errors=True)
        subprocess.run(
            ["/usr/lib/squid/security_file_certgen", "-c", "-s", f"{folder}/made", "-M", "4MB"], check=True, capture_output=True
        )
        subprocess.run(["chown", "-R", "proxy", f"{folder}/made"], check=True)
        opens = f" ssl-bump tls-cert={lab.folder}/opener.pem generate-host-certificates=on"
    config = folder / "squid.conf"
    config.write_text(f"""acl CONNECT method CONNECT
acl tls port 443
http_access deny CONNECT !tls
{rules[variant]}
http_port {SIDES[side]}.1:{PROXY_PORT}{opens}
cache deny all
access_log none
cache_log /dev/null
pid_filename none
coredump_dir {folder}
hosts_file /etc/hosts
pinger_enable off
shutdown_lifetime 1 second
visible_hostname proxy.test
""")
    process = lab.start(f"gate-{side}", "squid", "-N", "-f", str(config), "-n", f"lab{side}", log=f"squid-{side}.out")
    _wait_for_port(lab, f"gate-{side}", f"{SIDES[side]}.1", PROXY_PORT)
    return process


def start_buffering_proxy(lab: Lab, side: str) -> subprocess.Popen[str]:
    """A gateway that opens TLS and passes on whole answers."""
    started = _proxies(lab, f"gate-{side}", "buffering", str(PROXY_PORT), *_pair(lab), str(road_of(lab, side)))
    _wait_for_port(lab, f"gate-{side}", f"{SIDES[side]}.1", PROXY_PORT)
    return started


def road_of(lab: Lab, side: str) -> Path:
    """What says how narrow and how long this side's road to its buffering gateway is."""
    return lab.folder / f"road-{side}.json"


def make_road(lab: Lab, side: str, **says: float) -> None:
    """kbit, delay_ms: each way; without, as it is. In one step, since the gateway reads it at any time."""
    partial = lab.folder / f"road-{side}.partial"
    partial.write_text(json.dumps(says))
    partial.replace(road_of(lab, side))


def stop(process: subprocess.Popen[str]) -> None:
    """As it is when something in the network is gone. (Asked to end, squid takes seconds over it.)"""
    process.kill()
    process.wait(timeout=20)


def _pair(lab: Lab) -> tuple[str, str]:
    return str(lab.folder / "certificate.pem"), str(lab.folder / "key.pem")


def _proxies(lab: Lab, place: str, *arguments: str) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "tests.networks.proxies", *arguments)
    return lab.start(place, *command, log=f"{arguments[0]}.out", environ=environ)


def _wait_for_port(lab: Lab, place: str, address: str, port: int) -> None:
    def listens() -> bool:
        sockets = lab.run(place, "ss", "-Hltn")
        return f"{address}:{port} " in sockets or f"0.0.0.0:{port} " in sockets

    eventually(listens, 15)


class LabHouse(WholeHouse):
    """The whole house behind a reverse proxy that ends TLS. with_turn: else a STUN server is all it knows."""

    def __init__(self, lab: Lab, with_turn: bool) -> None:
        self.name, address, port = ("call.test", WEB, 8000) if with_turn else ("plain.test", PLAIN, 8001)
        environ = {
            "PORT": str(port), "LETTERBOX_STUN_URLS": f"stun:{TURN}:3478", "LETTERBOX_PUBLIC_URL": f"https://{self.name}",
            "LETTERBOX_ROOMS_PER_ADDRESS": "1000/hour", "LETTERBOX_CONSENT": "notice",
        }  # fmt: skip
        if with_turn:
            environ |= {"LETTERBOX_TURN_URLS": ",".join(TURN_URLS), "LETTERBOX_TURN_SECRET": SECRET}
        _proxies(lab, "server", "tls", "443", str(port), *_pair(lab), address)
        _proxies(lab, "server", "plain", "80", str(port), address)
        super().__init__(lab.folder / self.name, within=tuple(lab.command("server")), **environ)

    @property
    def url(self) -> str:
        return f"https://{self.name}"


@dataclass(frozen=True)
class WithoutTls:
    """The same house by its other door."""

    house: LabHouse

    @property
    def url(self) -> str:
        return f"http://{self.house.name}"


# -- browsers --------------------------------------------------------------------------------------------------------------------


def open_browser(chromium: BrowserType, lab: Lab, side: str, proxy: ProxySettings | None = None) -> Browser:
    """Chromium as it runs on this side's machine; it trusts the lab's certificates."""
    home = lab.folder / f"home-{side}"
    for folder in (".pki/nssdb", ".local/share/pki/nssdb"):
        if not (home / folder).exists():
            (home / folder).mkdir(parents=True)
            database = ("-d", f"sql:{home / folder}")
            subprocess.run(["certutil", *database, "-N", "--empty-password"], check=True)
            trust = ("-t", "C,,", "-n", "lab", "-i", str(lab.folder / "ca.pem"))
            subprocess.run(["certutil", *database, "-A", *trust], check=True)
    starter = lab.folder / f"chromium-{side}"
    starter.write_text(f'#!/bin/sh\nexec {" ".join(lab.command(f"side-{side}"))} env HOME={home} {CHROMIUM} "$@"\n')
    starter.chmod(0o755)
    return chromium.launch(executable_path=str(starter), args=[*FLAGS, TRUSTED], proxy=proxy)


def proxy_of(side: str, password: bool = False) -> ProxySettings:
    """How this side's browser is told of its proxy."""
    server = f"http://{SIDES[side]}.1:{PROXY_PORT}"
    return {"server": server, "username": "user", "password": "secret"} if password else {"server": server}
