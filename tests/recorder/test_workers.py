"""Workers that die or hang, on every broker: what they had begun is done again by another, once, and nobody waits for it."""

from pathlib import Path

import pytest
from brokers import BROKERS
from people import eventually
from workshop import LIMIT_S, Workshop

from signaling.library.jobs import STEPS

LEASE_S = 3


@pytest.fixture(params=sorted(BROKERS))
def broker(request: pytest.FixtureRequest):
    with BROKERS[request.param]() as url:
        yield url


def hanging(folder: Path, step: str, **more: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    return {"HANG_FOLDER": str(folder), "HANG_AT": step} | more


@pytest.mark.timeout(400)
def test_a_worker_killed_at_the_end_of_any_step_is_followed_by_another(broker: str, sqlite, serve, tmp_path: Path) -> None:
    workshop, told = Workshop(serve(sqlite.settings(job_lease_s=LEASE_S)), tmp_path, broker), tmp_path / "told"
    try:
        environ = hanging(told, "any")
        workshop.work("tests.hanging", **environ)
        workshop.enqueue(*workshop.record(seconds=2))
        for step in STEPS:
            workshop.waits_for((told / f"{workshop.recording}-{step}-1").exists)
            workshop.kill()
            workshop.work("tests.hanging", **environ)
        workshop.waits_for(lambda: workshop.described()["state"] in ("ready", "failed"))
        done = workshop.described()
        assert (done["state"], done["reason"]) == ("ready", None)
        assert {path.name.removeprefix(f"{workshop.recording}-") for path in told.iterdir()} == {
            f"{step}-{number}" for step in STEPS for number in (1, 2)
        }
        kinds = [artifact["kind"] for artifact in done["artifacts"] if artifact["kind"] != "track"]
        assert len(kinds) == len(set(kinds)), "nothing is there twice"
    finally:
        workshop.close()


@pytest.mark.timeout(300)
def test_one_that_hangs_is_ended_and_keeps_nobody_else_waiting(sqlite, serve, tmp_path: Path) -> None:
    server = serve(sqlite.settings(job_lease_s=LEASE_S))
    stuck, other = Workshop(server, tmp_path), Workshop(server, tmp_path)
    try:
        steps = stuck.record(seconds=2)
        stuck.work("tests.hanging", 2, **hanging(tmp_path / "told", "compose", HANG_RECORDING=stuck.recording, HANG_STUCK_S="12"))
        stuck.enqueue(*steps)
        eventually(lambda: (tmp_path / "told" / f"{stuck.recording}-compose-1").exists(), LIMIT_S)

        other.enqueue(*other.record(seconds=2))

        assert other.comes_to("ready", "failed")["state"] == "ready"
        # Its heart beat on: only that nothing moved gave it away.
        eventually(lambda: stuck.told("compose"), LIMIT_S)
        stuck.enqueue("compose")
        assert stuck.comes_to("ready", "failed")["state"] == "ready"
        assert (tmp_path / "told" / f"{stuck.recording}-compose-2").exists()
    finally:
        stuck.close()
        other.close()
