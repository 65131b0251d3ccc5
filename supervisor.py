"""Everything on one machine as one foreground command: web, recorder, worker; prefixed logs; what dies is started again.

`python app.py run` (that is, `make run`) comes here. No state: Ctrl-C ends all of it.
"""

import asyncio
import ipaddress
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from signaling.config import BadSetting, Settings

# How long a part may take to end by itself before it is killed, seconds: a recorder has files to close.
PATIENCE_S = 20
COLOURS = {"web": "36", "recorder": "35", "worker": "33", "letterbox": "32"}


@dataclass(frozen=True)
class Part:
    """One process."""

    name: str
    command: list[str]


def say(name: str, line: str) -> None:
    """One line of one part, its name in front."""
    prefix = f"{name:<9} │ "
    if sys.stdout.isatty():
        prefix = f"\033[{COLOURS.get(name, '0')}m{prefix}\033[0m"
    print(prefix + line, flush=True)


def parts(environ: dict[str, str]) -> list[Part]:
    """What runs. A worker's processes: one task at a time each. Raises BadSetting."""
    from recorder import config

    try:
        limits = config.Settings.from_environ(environ)
    except config.BadSetting as error:
        raise BadSetting(str(error)) from error
    python = sys.executable
    # In a container everything is root: Celery need not say so each time.
    celery = [python, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "-A", "recorder.jobs", "worker",
              "--loglevel=WARNING"]  # fmt: skip
    return [
        Part("web", [python, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]),
        Part("recorder", [python, "-m", "recorder"]),
        Part("worker", [*celery, "--queues=letterbox", f"--concurrency={limits.quick_steps}", "--hostname=worker@%h"]),
        Part("composer", [*celery, "--queues=letterbox-heavy", f"--concurrency={limits.films}", "--hostname=composer@%h"]),
    ]  # fmt: skip


async def keep(part: Part, environ: dict[str, str], stopping: asyncio.Event) -> None:
    """Run one part until told to stop; start it again, ever more slowly, when it dies."""
    delay_s = 0.5
    while not stopping.is_set():
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *part.command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True, limit=1 << 20,
        )  # fmt: skip
        reading = asyncio.create_task(forward(part.name, process))
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            await end(part, process)
            reading.cancel()
            return
        told.cancel()
        await reading
        delay_s = 0.5 if time.monotonic() - began > 30 else min(delay_s * 2, 15)
        say("letterbox", f"{part.name} ended ({describe(process.returncode)}); starting it again in {delay_s:g} s")
        try:
            await asyncio.wait_for(stopping.wait(), delay_s)
        except TimeoutError:
            pass


def describe(code: int | None) -> str:
    return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"


async def forward(name: str, process: asyncio.subprocess.Process) -> None:
    """Its output, line by line, until it ends."""
    stream = process.stdout
    assert stream is not None
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue  # a line without end: what follows it is still wanted
        if not line:
            return
        say(name, line.decode(errors="replace").rstrip())


async def end(part: Part, process: asyncio.subprocess.Process) -> None:
    """Ask, then kill the whole session. Only the main process is asked: Celery's children die with a group signal in mid-task."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            say("letterbox", f"{part.name} did not end within {PATIENCE_S} s: killed")
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    await process.wait()


def addresses() -> list[str]:
    """This machine's addresses in its local network. Nothing is sent: connecting a datagram socket only picks a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return [str(probe.getsockname()[0])]
        except OSError:
            return []


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of our own for this machine's names and addresses, made once. Returns (certificate, key)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if certificate.exists() and key.exists():
        return certificate, key
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Letterbox on " + socket.gethostname()[:40])])
    found = ["127.0.0.1", *addresses()]
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in found]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(private.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=820))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def environment(settings: Settings, environ: dict[str, str]) -> dict[str, str]:
    """What the parts are told. PORT and HTTPS are `make run`'s knobs."""
    port, https = environ.get("PORT", "8000"), environ.get("HTTPS", "") not in ("", "0")
    data = settings.data_dir.resolve()
    told = environ | {
        "PYTHONUNBUFFERED": "1",
        "LETTERBOX_DATA_DIR": str(data),
        "LETTERBOX_RECORDER_KEY": settings.recorder_key,
        "LETTERBOX_SECRET_KEY": settings.secret_key,
        "LETTERBOX_WORK_DIR": environ.get("LETTERBOX_WORK_DIR") or str(data / "recorder"),
        "LETTERBOX_BIND": environ.get("LETTERBOX_BIND") or (f"0.0.0.0:{port}" if https else f"127.0.0.1:{port}"),
        "LETTERBOX_SERVER_URL": environ.get("LETTERBOX_SERVER_URL") or f"{'https' if https else 'http'}://127.0.0.1:{port}",
    }
    if https and not environ.get("LETTERBOX_TLS_CERT"):
        certificate, key = make_certificate(data / "tls")
        told |= {
            "LETTERBOX_TLS_CERT": str(certificate),
            "LETTERBOX_TLS_KEY": str(key),
            "LETTERBOX_CA_FILE": str(certificate),
        }
    return told


def greet(environ: dict[str, str]) -> None:
    """Where to go."""
    port, https = environ.get("PORT", "8000"), "LETTERBOX_TLS_CERT" in environ
    say("letterbox", f"Open {'https' if https else 'http'}://localhost:{port}")
    for address in addresses():
        if https:
            say(
                "letterbox",
                f"From another machine: https://{address}:{port} (accept the certificate of this machine once)",
            )
        else:
            say(
                "letterbox",
                f"From another machine: browsers give the camera to secure pages only. Run `make run HTTPS=1`, open https://{address}:{port}",
            )
    say("letterbox", "Ctrl-C ends everything.")


async def supervise(settings: Settings) -> None:
    environ = environment(settings, dict(os.environ))
    stopping, closing = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    web, *others = parts(environ)
    greet(environ)
    served = asyncio.create_task(keep(web, environ, closing))
    await asyncio.gather(*(keep(part, environ, stopping) for part in others))
    # Last: the others hand in what they have.
    closing.set()
    await served
    say("letterbox", "All ended.")


def run(settings: Settings) -> None:
    """Blocks until Ctrl-C or SIGTERM."""
    asyncio.run(supervise(settings))
