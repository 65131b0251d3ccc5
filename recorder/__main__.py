"""python -m recorder: one recorder process, until SIGTERM or Ctrl-C."""

import asyncio
import logging
import os
import signal
import sys

from prometheus_client import REGISTRY

from recorder import config, health, passthrough
from recorder.figures import Figures
from recorder.service import Service


async def main(settings: config.Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    service = Service(settings)
    if settings.metrics_bind:
        REGISTRY.register(Figures(settings.work_dir, service.load))
        health.serve(settings.metrics_bind, health.application(service.sick, service.busy, REGISTRY))
    await service.run(stopping)


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("LETTERBOX_LOG_LEVEL", "INFO").upper(),
        format="%(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    # These tell of every request and every candidate.
    for chatty in ("httpx", "httpcore", "aioice", "aiortc", "libav"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        passthrough.install()
        asyncio.run(main(config.settings()))
    except (config.BadSetting, passthrough.UnknownAiortc) as error:
        sys.exit(str(error))
