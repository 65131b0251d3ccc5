"""The Celery app: `celery -A recorder.jobs worker`.

A task carries a recording's id and nothing else; the job's row on the server is the truth. A task that comes twice is refused the
claim; one that is lost is told again by the server when its lease has lapsed.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from billiard.process import active_children  # type: ignore[import-untyped]
from celery import Celery
from celery.signals import worker_init, worker_ready, worker_shutting_down
from celery.worker import state
from kombu import Exchange, Queue

from recorder import broker, config
from recorder.forget import keep_asking
from recorder.pipeline import STEPS, VERSION, Pipeline, reason_of
from recorder.publish import Library, Refused

log = logging.getLogger(__name__)
QUICK, HEAVY = "letterbox", "letterbox-heavy"
# A step that has told of no progress for so long hangs, seconds: it is ended, and done again by another.
STUCK_S = 180.0
VISIBLE_S = 86_400
# How often the server hears of progress at most, seconds; and how often in one lease that we still live when there is none.
TELL_S, ALIVE_A_LEASE = 0.7, 4


def make_app(settings: config.Settings) -> Celery:
    """Files as the broker unless CELERY_BROKER_URL says otherwise. No result backend: the row holds the state."""
    broker.install()
    app = Celery("letterbox", broker=settings.broker_url or f"{broker.ALIAS}://localhost")
    app.conf.broker_transport_options = _transport(settings)
    app.conf.update(
        task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1, task_reject_on_worker_lost=True,
        broker_connection_retry_on_startup=True, worker_hijack_root_logger=False, task_default_queue=QUICK,
        # A worker without -Q takes both; with two kinds of workers no film keeps a poster waiting.
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (QUICK, HEAVY)],
        task_routes={f"recorder.jobs.{step}": {"queue": HEAVY} for step in ("compose", "version")},
    )  # fmt: skip
    return app


def _transport(settings: config.Settings) -> dict[str, Any]:
    """What each kind of broker must be told, so that no step is lost or done twice."""
    if settings.broker_url.startswith(("redis", "unix")):
        # Redis takes a task for lost after this. Ours are told again by their rows, and the film of a long call takes hours.
        return {"visibility_timeout": VISIBLE_S}
    if settings.broker_url.startswith(("amqp", "pyamqp")):
        # Without it a task is lost, and nobody told, where the connection ends before RabbitMQ has taken it in.
        return {"confirm_publish": True}
    if settings.broker_url:
        return {}
    queue, control = settings.work_dir / "broker" / "queue", settings.work_dir / "broker" / "control"
    for folder in (queue, control):
        folder.mkdir(parents=True, exist_ok=True)
    return {"data_folder_in": str(queue), "data_folder_out": str(queue), "control_folder": str(control), "polling_interval": 0.2}


settings = config.settings()
app = make_app(settings)
# Told how each step ended, and after how many seconds.
tell: Callable[[str, str, float], None] = lambda _step, _outcome, _took_s: None  # noqa: E731


@worker_init.connect  # type: ignore[untyped-decorator]
def _be_looked_after(**_: Any) -> None:
    """In a worker's main process, before it has any other."""
    global tell
    if settings.metrics_bind:
        from recorder import steps

        steps.serve(settings.metrics_bind, app)
        tell = steps.count


_stopped = threading.Event()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _begin_to_ask(**_: Any) -> None:
    threading.Thread(target=keep_asking, args=(settings, _stopped), name="forget", daemon=True).start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    """Who works on nothing has nothing to put away. Celery itself would take seconds over it."""
    _stopped.set()
    if not state.reserved_requests:
        for process in active_children():
            process.terminate()
        os._exit(0)


class LeaseLost(Exception):
    """The step was given to another worker: stop."""


class Heartbeat:
    """Tells the server of progress, and while there is none that we live. update() raises LeaseLost."""

    def __init__(self, library: Library, recording: str, step: str, attempt: int, lease_s: float) -> None:
        self._library, self._recording, self._step, self._attempt = library, recording, step, attempt
        self._alive_s = lease_s / ALIVE_A_LEASE
        self._percent, self._eta_s = 0, None
        self._lost = self._stop = False
        self._moved_s = time.monotonic()
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def update(self, percent: float, eta_s: float | None) -> None:
        if self._lost:
            raise LeaseLost
        self._moved_s = time.monotonic()
        self._percent, self._eta_s = max(0, min(100, int(percent))), None if eta_s is None else max(0, round(eta_s))  # type: ignore[assignment]
        self._changed.set()

    def _run(self) -> None:
        while not self._stop:
            self._changed.wait(self._alive_s)
            self._changed.clear()
            if self._stop:
                return
            if time.monotonic() - self._moved_s > STUCK_S:
                log.error("recording=%s step=%s hangs: this worker process ends itself", self._recording, self._step)
                # Celery starts another in its place; the lease lapses, and the step is told again.
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                self._library.advance_job(self._recording, self._step, self._attempt, progress=self._percent, eta_s=self._eta_s)
            except Refused:
                self._lost = True
                return
            except Exception as error:
                log.warning("recording=%s step=%s the server is away: %s", self._recording, self._step, error)
            time.sleep(TELL_S)

    def stop(self) -> None:
        self._stop = True
        self._changed.set()
        self._thread.join(timeout=5)


def run(recording: str, step: str) -> None:
    """Claim one step, do it, say how it went, and enqueue what follows. Nothing to do is no error."""
    library = Library(settings)
    try:
        try:
            claim = library.claim_job(recording, step, f"{socket.gethostname()}:{threading.get_native_id()}")
        except Refused as refusal:
            log.info("recording=%s step=%s not ours: %s", recording, step, refusal)
            return
        for following in _work(library, recording, step, int(claim["attempt"]), float(claim["lease_s"])):
            enqueue(recording, following)
    finally:
        library.close()


def _work(library: Library, recording: str, step: str, attempt: int, lease_s: float) -> list[str]:
    heartbeat = Heartbeat(library, recording, step, attempt, lease_s)
    began = time.monotonic()
    news: dict[str, Any] = {"state": "done", "progress": 100}
    try:
        Pipeline(settings, library, recording, heartbeat.update).run(step)
        log.info("recording=%s step=%s done in %.1f s", recording, step, time.monotonic() - began)
    except LeaseLost:
        tell(step, "lost", time.monotonic() - began)
        log.info("recording=%s step=%s is another worker's now", recording, step)
        return []
    except Exception as error:
        log.exception("recording=%s step=%s failed", recording, step)
        news = {"state": "failed", "reason": reason_of(step, error)}
    finally:
        heartbeat.stop()
    tell(step, str(news["state"]), time.monotonic() - began)
    try:
        return library.advance_job(recording, step, attempt, **news)
    except Refused as refusal:
        log.info("recording=%s step=%s is not wanted any more: %s", recording, step, refusal)
        return []


def _task(step: str) -> None:
    """One Celery task a step: `recorder.jobs.verify` …"""

    def work(recording: str) -> None:
        run(recording, step)

    app.task(name=f"recorder.jobs.{step}")(work)


for _step in STEPS:
    _task(_step)


@app.task(name="recorder.jobs.version")  # type: ignore[untyped-decorator]
def _version(recording: str, step: str) -> None:
    run(recording, step)


def enqueue(recording: str, step: str) -> None:
    """Hand a step to the broker."""
    if step.startswith(VERSION):
        app.send_task("recorder.jobs.version", args=[recording, step])
    else:
        app.send_task(f"recorder.jobs.{step}", args=[recording])
