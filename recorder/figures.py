"""What a recorder is doing, for Prometheus: asked when somebody looks, so that it costs nothing otherwise."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from recorder.capacity import BUDGET


@dataclass(frozen=True)
class Load:
    """running: recordings now; most: at once; people: who send; core: of one, used, 0 to 1; cost: of it one person takes;
    written_bytes: of all that run; known: the server knows us."""

    running: int
    most: int
    people: int
    core: float
    cost: float
    written_bytes: int
    known: bool
    draining: bool


class Figures(Collector):
    """load: of this moment."""

    def __init__(self, work_dir: Path, load: Callable[[], Load]) -> None:
        self._work_dir, self._load = work_dir, load

    def collect(self) -> Iterator[Metric]:
        load = self._load()
        told = {
            "recorder_running": ("Recordings that this recorder makes now.", load.running),
            "recorder_most": ("Recordings it makes at once at most.", load.most),
            "recorder_people": ("People whose tracks come in.", load.people),
            "recorder_core_ratio": ("Of one core, how much it uses.", load.core),
            "recorder_places": ("People who still fit, by what one costs.", places(load)),
            "recorder_written_bytes": ("Written of the recordings that run.", load.written_bytes),
            "recorder_disk_free_bytes": ("Free where it writes.", shutil.disk_usage(self._work_dir).free),
            "recorder_known": ("Whether the server knows it.", load.known),
            "recorder_draining": ("Whether it takes nothing more because it ends.", load.draining),
        }
        for name, (about, value) in told.items():
            yield GaugeMetricFamily(f"letterbox_{name}", about, value=float(value))


def places(load: Load) -> int:
    """For how many more people there is room on its core."""
    return max(0, int((BUDGET - load.core) / load.cost))
