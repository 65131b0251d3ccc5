"""Namespaces, wires, and what the gateways let through."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SIDES = {"a": "10.1.0", "b": "10.2.0"}
GATEWAYS = {"a": "198.51.100.2", "b": "198.51.100.3"}
WEB, TURN, PLAIN = "198.51.100.10", "198.51.100.11", "198.51.100.13"
NAMES = {"call.test": WEB, "turn.test": TURN, "plain.test": PLAIN}
PROXY_PORT = 3128

# What a gateway forwards (`lan`: from its browser) and how it translates addresses.
_HOME = 'iifname "lan" ip daddr 10.0.0.0/8 drop; iifname "wan" ct state established,related accept; iifname "wan" drop;'
FORWARD = {
    "open": "",
    "nat": _HOME,
    "symmetric": _HOME,
    "udp blocked": f'iifname "lan" meta l4proto udp drop; iifname "lan" tcp dport != {{ 80, 443, 3478 }} drop; {_HOME}',
    "proxy only": 'iifname "lan" drop;',
}
TRANSLATE = {"open": "", "symmetric": 'oifname "wan" masquerade random,fully-random;'}
_NAT = 'oifname "wan" masquerade;'


def missing() -> str | None:
    """Why these tests cannot run here, None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    needed = {
        "ip": "iproute2",
        "nft": "nftables",
        "squid": "squid-openssl",
        "turnserver": "coturn",
        "certutil": "libnss3-tools",
    }
    lacking = [package for tool, package in needed.items() if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if lacking:
        return f"apt-get install {' '.join(lacking)}"
    tried = subprocess.run(["ip", "netns", "add", "lettertry"], capture_output=True, text=True)
    if tried.returncode == 0:
        subprocess.run(["ip", "netns", "del", "lettertry"], check=True)
        return None
    return f"network namespaces are not allowed here: {tried.stderr.strip()}"


class Lab:
    """The wires. `close` takes all of it away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tag = f"lb{os.getpid() % 10_000}"
        self.names = {place: f"{tag}{place}" for place in ("switch", "server", "gate-a", "gate-b", "side-a", "side-b")}
        self._started: list[subprocess.Popen[str]] = []
        try:
            self._wire()
        except BaseException:
            self.close()
            raise

    def _wire(self) -> None:
        for name in self.names.values():
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", self.names["switch"], "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", self.names["switch"], "link", "set", "bridge", "up")
        self._plug("server", "wan", [WEB, TURN, PLAIN])
        for side, net in SIDES.items():
            self._plug(f"gate-{side}", "wan", [GATEWAYS[side]])
            self._connect(f"gate-{side}", "lan", f"side-{side}", "eth0")
            self._address(f"gate-{side}", "lan", f"{net}.1/24")
            self._address(f"side-{side}", "eth0", f"{net}.10/24")
            _run("ip", "-n", self.names[f"side-{side}"], "route", "add", "default", "via", f"{net}.1")
            self.run(f"gate-{side}", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        # Without NAT everyone must know the way back.
        for here, other in (("a", "b"), ("b", "a")):
            for place in (f"gate-{here}", "server"):
                self._route(place, f"{SIDES[other]}.0/24", GATEWAYS[other])
        for place in self.names:
            files = Path("/etc/netns") / self.names[place]
            files.mkdir(parents=True, exist_ok=True)
            hosts = "127.0.0.1 localhost\n"
            if not place.startswith("side"):
                hosts += "".join(f"{address} {name}\n" for name, address in NAMES.items())
            (files / "hosts").write_text(hosts)
            server = SIDES[place[-1]] + ".1" if place.startswith("side") else "127.0.0.1"
            (files / "resolv.conf").write_text(f"nameserver {server}\noptions timeout:1 attempts:1\n")

    def _plug(self, place: str, device: str, addresses: Sequence[str]) -> None:
        port = f"to-{place}"
        self._connect("switch", port, place, device)
        _run("ip", "-n", self.names["switch"], "link", "set", port, "master", "bridge")
        for address in addresses:
            self._address(place, device, f"{address}/24")

    def _connect(self, one: str, device: str, other: str, their: str) -> None:
        here, there = ("netns", self.names[one]), ("netns", self.names[other])
        _run("ip", "link", "add", device, *here, "type", "veth", "peer", "name", their, *there)
        for place, name in ((one, device), (other, their)):
            _run("ip", "-n", self.names[place], "link", "set", name, "up")

    def _address(self, place: str, device: str, address: str) -> None:
        _run("ip", "-n", self.names[place], "addr", "add", address, "dev", device)

    def _route(self, place: str, net: str, via: str) -> None:
        _run("ip", "-n", self.names[place], "route", "replace", net, "via", via)

    # -- what the tests do with it ------------------------------------------------------------------------------------------

    def be(self, side: str, network: str) -> None:
        """Make this side's gateway one of FORWARD's keys. Connections that were open before are forgotten."""
        # Only what a browser is there for: DNS and, where that is all there is, the proxy.
        # And what comes unasked is dropped before it is tracked: it would take the very port that the way out is about to use.
        entry = "" if network == "open" else 'iifname "wan" ct state new drop;'
        entry += (
            f'iifname "lan" udp dport != 53 drop; iifname "lan" tcp dport != {PROXY_PORT} drop;'
            if network == "proxy only"
            else ""
        )
        rules = f"""flush ruleset
            table inet wall {{
                chain forward {{ type filter hook forward priority 0; policy accept; {FORWARD[network]}
                }}
                chain entry {{ type filter hook input priority 0; policy accept; {entry}
                }}
            }}
            table ip translate {{
                chain out {{ type nat hook postrouting priority 100; {TRANSLATE.get(network, _NAT)}
                }}
            }}"""
        self.run(f"gate-{side}", "nft", "-f", "-", stdin=rules)

    def command(self, place: str, *arguments: str) -> list[str]:
        """A command line that runs there."""
        return ["ip", "netns", "exec", self.names[place], *arguments]

    def run(self, place: str, *arguments: str, stdin: str | None = None) -> str:
        """Run to its end. Raises CalledProcessError."""
        done = subprocess.run(self.command(place, *arguments), input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self, place: str, *arguments: str, log: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Run until stopped, or until the lab is closed."""
        with (self.folder / log).open("a") as output:
            process = subprocess.Popen(
                self.command(place, *arguments), stdout=output, stderr=subprocess.STDOUT, text=True, env=environ,
                start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.terminate()
        for process in self._started:
            try:
                process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                process.kill()
        for name in self.names.values():
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            for pid in found.stdout.split():
                subprocess.run(["kill", "-9", pid], capture_output=True)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


def _run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: {done.stderr}")
