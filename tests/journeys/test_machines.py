"""Many machines, real processes: one of each kind is killed in the middle of a recorded call, and nothing is lost."""

import shutil
from collections.abc import Iterator

import pytest
from people import RECORDER_KEY, eventually

from tests import machines as many
from tests.journeys.recorded import RecordedCall
from tests.witness import Witness

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def machines(postgresql, tmp_path_factory) -> Iterator[many.Machines]:
    for tool, package in (("nginx", "nginx"), ("redis-server", "redis-server")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt-get install {package}")
    with many.running(tmp_path_factory.mktemp("machines"), postgresql) as running:
        yield running


@pytest.fixture
def witness(machines: many.Machines) -> Iterator[Witness]:
    seen = Witness(machines.url, str(machines.ca_file))
    yield seen
    seen.ends()


def goes_on(witness: Witness, messages: int = 20) -> None:
    """So many more messages arrive."""
    wanted = witness.heard + messages
    eventually(lambda: witness.heard >= wanted, 60)


@pytest.mark.timeout(400)
def test_one_of_each_is_killed_in_a_recorded_call_and_nothing_is_lost(machines, witness, browser):
    call = RecordedCall(browser, machines.url, "Killed", RECORDER_KEY)
    try:
        (first,) = machines.has_claimed(call.recording)
        kills = []
        for name in ("web1", "worker1", first):
            kills.append((name, machines.parts[name].kill()))
            goes_on(witness)
        eventually(lambda: len(machines.has_claimed(call.recording)) == 2, 60)
        call.records()
        for name in ("web1", first):
            machines.parts[name].start()
        machines.parts["web2"].kill()
        goes_on(witness)
        call.stops()
        eventually(lambda: any(job["state"] == "running" for job in call.described()["jobs"]), 60)
        machines.parts["worker2"].kill()
        machines.parts["worker1"].start()

        assert call.losses(kills) == []
        assert call.interruptions() == []
        assert (witness.ends(), witness.faults) == (0, [])
    finally:
        call.leaves()
        for part in machines.parts.values():
            if not part.runs:
                part.start()


def test_nodes_restarted_one_after_the_other_under_load_lose_no_message(machines, witness):
    goes_on(witness)
    for name in ("web1", "web2"):
        machines.parts[name].ends()
        goes_on(witness, 5)
        machines.parts[name].start()
        goes_on(witness, 5)

    assert (witness.ends(), witness.faults) == (0, [])
