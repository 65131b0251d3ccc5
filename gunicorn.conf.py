"""How gunicorn serves Letterbox. Read by `gunicorn -c gunicorn.conf.py 'app:create_app()'`."""

import gc
import os
import resource
import shutil
import tempfile
import threading

# Before anything imports prometheus-client: the processes of this node count together.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="letterbox-metrics-")

from prometheus_client import multiprocess

bind = os.environ.get("LETTERBOX_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("LETTERBOX_WEB_WORKERS", "1"))
worker_class = os.environ.get("LETTERBOX_WORKER_CLASS", "signaling.worker.ParkingWorker")
# The stock worker keeps a thread behind each parked poll; ours needs threads for everything but polls.
parks = worker_class.endswith("ParkingWorker") and not os.environ.get("LETTERBOX_TLS_CERT")
threads = int(os.environ.get("LETTERBOX_THREADS", "16" if parks else "200"))
# Each is an open file: as many as this machine lets us have, and some for everything else.
_, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
worker_connections = min(int(os.environ.get("LETTERBOX_CONNECTIONS", "12000")), max(100, most_files - 500))
# A poller pauses between polls: closing its connection after 2 s, as by default, costs it a new one each time.
keepalive = 75
timeout = 60
graceful_timeout = 10
control_socket_disable = True
certfile = os.environ.get("LETTERBOX_TLS_CERT") or None
keyfile = os.environ.get("LETTERBOX_TLS_KEY") or None
# One line per change of state, ids first; never a token, never an SDP.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "signaling": {"level": os.environ.get("LETTERBOX_LOG_LEVEL", "info").upper()},
        "gunicorn.error": {
            "level": os.environ.get("LETTERBOX_LOG_LEVEL", "info").upper(),
            "handlers": ["stderr"],
            "propagate": False,
        },
    },
}
loglevel = os.environ.get("LETTERBOX_LOG_LEVEL", "info")


def post_worker_init(worker):
    """On SIGTERM the stock worker waits for its threads, and they wait for messages: answer them."""
    # What was made until now stays for good: without this, looking through all of it stops every poll for 36 ms now and then.
    gc.collect()
    gc.freeze()

    def watch() -> None:
        while worker.alive:
            stopping.wait(0.2)
        worker.wsgi.extensions["letterbox"].mailboxes.shut()
        worker.wsgi.extensions["letterbox"].chunks.shut()

    stopping = threading.Event()
    threading.Thread(target=watch, name="stop-watch", daemon=True).start()


def child_exit(_server, worker):
    multiprocess.mark_process_dead(worker.pid)


def on_exit(_server):
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def worker_exit(_server, worker):
    if hasattr(worker.wsgi, "extensions"):
        worker.wsgi.extensions["letterbox"].stop()
