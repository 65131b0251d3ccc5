"""What a worker has done, for Prometheus. Imported only in a worker that is looked after: its processes count together in a
folder of their own, which prometheus-client wants to know before it is first imported.
"""

import os
import tempfile

os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="letterbox-steps-")

from celery import Celery
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from recorder import health

DONE = Counter("letterbox_steps", "Steps of recordings, by step and by how they ended: done, failed, lost.", ["step", "outcome"])
SECONDS = Histogram(
    "letterbox_step_seconds", "How long a step took.", ["step"],
    buckets=(0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 10_800),
)  # fmt: skip


def count(step: str, outcome: str, took_s: float) -> None:
    kind = step.partition("-")[0]
    DONE.labels(kind, outcome).inc()
    SECONDS.labels(kind).observe(took_s)


def serve(bind: str, app: Celery) -> None:
    """From now on; in the main process, which works on no step and so answers at once."""

    def unreachable() -> str | None:
        try:
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except Exception as error:
            return f"the broker does not answer: {type(error).__name__}"
        return None

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    health.serve(bind, health.application(lambda: None, unreachable, registry))
