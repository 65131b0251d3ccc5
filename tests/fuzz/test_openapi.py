"""Calls made up by schemathesis from the OpenAPI document, one by one and in sequences, against a real server.

Whatever is sent: no 5xx, no status, header or member that the document does not have, and every refusal is problem details.
`make fuzz CASES=20000` tries more of them than `make test` does.
"""

import contextlib
import itertools
import os
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from people import API, Cast, Gunicorn
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from signaling.library import jobs
from tests.fuzz.stage import UNLIMITED, Stage

CASES = int(os.environ.get("CASES", "400"))
STEPS = 25
# So many calls are tried in one scene: what some of them close or delete the others would miss.
AT_ONE = 6
pytestmark = pytest.mark.timeout(max(300, CASES))
# Half a second each, and nothing goes in.
SLOW = f"{API}/checks/pieces"


def is_problem_details(ctx, response: Response, case: Case) -> None:
    """RFC 9457, and nothing of the API is kept by anybody."""
    if response.status_code < 400:
        return
    kind, kept = (response.headers.get(name, [""])[0] for name in ("content-type", "cache-control"))
    if kind != "application/problem+json" or kept != "no-store" or response.json()["status"] != response.status_code:
        about = f"{response.status_code} {kind}, Cache-Control: {kept}\n{response.text}"
        raise Failure(operation=case.operation.label, title="A refusal that is no problem details", message=about)


CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, is_problem_details,
]  # fmt: skip


def bounded(cases: int, **more: object) -> settings:
    return settings(
        max_examples=max(1, cases), deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), **more,
    )  # fmt: skip


@pytest.fixture
def server(databases, serve) -> Gunicorn:
    # A parked poll waits a second at most; nobody is forgotten for being silent.
    return serve(databases.settings(wait_s=1, grace_s=3600, lease_s=3600, **UNLIMITED))


@pytest.fixture
def share(databases) -> float:
    """Of the cases: PostgreSQL gets a look, SQLite the whole."""
    return 1.0 if databases.kind == "sqlite" else 0.25


@pytest.fixture
def api(server: Gunicorn) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{server.url}{API}/openapi.json")


def scene(server: Gunicorn) -> Stage:
    """A room with people and a recording that is ready to be watched: what takes a whole pipeline to get to."""
    stage, cast = Stage(seed=1), Cast(server)
    rec, recording, _ = cast.recorded()
    stage.remember(cast.room, cast.host_key, [cast.alice, cast.bob], rec.id, recording)
    for step in jobs.STEPS:
        attempt = rec.calls(f"recordings/{recording}/jobs/{step}/claim", {"worker": "w"})["attempt"]
        assert rec.calls(f"recordings/{recording}/jobs/{step}", {"attempt": attempt, "state": "done"}).status == 200
    return stage


def test_whatever_is_sent_to_a_call_is_answered_as_the_document_says(api, server, share):
    answered: Counter[int] = Counter()
    operations = [found.ok() for found in api.get_all_operations() if found.ok().path != SLOW]
    each = int(CASES * share / len(operations) / len(GenerationMode))

    for first in range(0, len(operations), AT_ONE):
        stage = scene(server)
        for operation, mode in itertools.product(operations[first : first + AT_ONE], GenerationMode):
            ask(operation, mode, each, stage)
        answered.update(stage.statuses)

    assert accepted(answered) > 0.1


def accepted(statuses: Counter[int]) -> float:
    """Which part of the calls was not refused: made-up calls that all end at the door try nothing."""
    print(dict(sorted(statuses.items())))
    return sum(count for status, count in statuses.items() if status < 400) / statuses.total()


def ask(operation: APIOperation, mode: GenerationMode, cases: int, stage: Stage) -> None:
    @bounded(cases)
    @given(operation.as_strategy(generation_mode=mode))
    def one(case: Case) -> None:
        stage.prepare(case)
        response = case.call()
        stage.learn(case, response)
        case.validate_response(response, checks=CHECKS)

    # Of some calls nothing can be wrong.
    with contextlib.suppress(Unsatisfiable):
        one()


def test_whatever_calls_follow_each_other_are_answered_as_the_document_says(api, server, share):
    answered: Counter[int] = Counter()

    class Sequence(api.exclude(path=SLOW).as_state_machine()):
        def setup(self) -> None:
            # Anew for each: what has been done before must not change what follows, or nothing could be repeated.
            self.stage = scene(server)

        def teardown(self) -> None:
            answered.update(self.stage.statuses)

        def before_call(self, case: Case) -> None:
            self.stage.prepare(case)

        def after_call(self, response: Response, case: Case) -> None:
            super().after_call(response, case)
            self.stage.learn(case, response)

        def validate_response(self, response: Response, case: Case, **more: object) -> None:
            case.validate_response(response, checks=CHECKS)

    Sequence.run(settings=bounded(int(CASES * share / STEPS), stateful_step_count=STEPS))

    assert accepted(answered) > 0.25
