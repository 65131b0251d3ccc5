"""The embedded broker: a message is seen whole or not at all, however often workers look."""

import threading
from pathlib import Path

from kombu import Connection
from kombu.utils.json import dumps

from recorder import broker


def test_a_worker_that_looks_all_the_time_gets_every_message_whole_and_once(tmp_path: Path) -> None:
    broker.install()
    folder, control = tmp_path / "queue", tmp_path / "control"
    folder.mkdir()
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(control)}
    with (
        Connection("filesystem://", transport_options=options) as ours,
        Connection("filesystem://", transport_options=options) as theirs,
    ):
        writes, reads = ours.SimpleQueue("steps"), theirs.SimpleQueue("steps")
        got: list[int] = []

        def look() -> None:
            while len(got) < 300:
                message = reads.get(timeout=20)
                message.ack()
                got.append(message.payload["n"])

        looking = threading.Thread(target=look)
        looking.start()
        for n in range(300):
            writes.put({"n": n, "more": "x" * 2000})
        looking.join(30)

    assert sorted(got) == list(range(300))
    assert type(ours.transport).__module__ == broker.__name__
    assert list(folder.iterdir()) == [], dumps([path.name for path in folder.iterdir()])
