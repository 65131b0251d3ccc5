"""The mailbox's JSON: what a sender may say arrives as it was said, and what nobody can say is refused, never a fault of ours."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from people import Cast, Reply

from tests.fuzz.stage import UNLIMITED

bounded = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
NASTY = [
    "\x00", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "\u2028", "e\u0301", "\U0010ffff", "\x7f", '"', "\\", "</script>",
    "😀" * 40,
]  # fmt: skip
texts = st.one_of(st.sampled_from(NASTY), st.text(alphabet=st.characters(exclude_categories=()), max_size=12))
numbers = st.one_of(st.integers(), st.sampled_from([2**53, -(2**63), 2**64, 10**300, 10**4000]), st.floats(), st.just(-0.0))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=10,
)


@pytest.fixture
def cast(databases, open_house) -> Cast:
    return Cast(open_house(databases.settings(**UNLIMITED)))


def say(cast: Cast, body: bytes) -> Reply:
    data = b'{"messages":[{"n":%d,"to":"%s","kind":"note","body":%s}]}' % (cast.alice.n + 1, cast.bob.id.encode(), body)
    reply = cast.door.post("messages", None, cast.alice.token, data=data)
    if reply.status == 200:
        cast.alice.n += 1
    return reply


def refused(reply: Reply) -> bool:
    """RFC 9457, with a status of the contract."""
    return reply.status in (413, 422) and reply.json["status"] == reply.status


@bounded
@given(body=st.dictionaries(texts, values, max_size=4), escaped=st.booleans())
@example(body={"x": float("nan")}, escaped=True)
@example(body={"x": 10**4000}, escaped=True)
@example(body={"\ud800": "\x00"}, escaped=True)
def test_a_message_arrives_as_it_was_said_or_is_refused(cast, body: dict[str, Any], escaped: bool):
    reply = say(cast, json.dumps(body, ensure_ascii=escaped).encode(errors="surrogatepass"))

    heard = cast.bob.hear()
    if refused(reply):
        assert heard == []
    else:
        assert reply.status == 200
        assert [message["body"] for message in heard] == [json.loads(json.dumps(body))]


@bounded
@given(
    body=st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"{", b"[" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":1,"a":2}', b"{}" * 2, b"1e999", b"\xff",
                         b'{"a":01}', b"{'a':1}", b"\xef\xbb\xbf{}", b'{"a":"\\u0000\\ud83d"}', b'{"x":' + b"9" * 30_000 + b"}"]),
    )
)  # fmt: skip
def test_what_is_no_json_spoils_nobodys_mailbox(cast, body: bytes):
    reply = say(cast, body)

    assert refused(reply) or reply.status == 200
    cast.bob.hear()


WHERE = ("rooms", "rooms/{room}/participants", "rooms/{room}/recording", "rooms/{room}/consent", "leave", "mailboxes", "checks")


@bounded
@given(path=st.sampled_from(WHERE), body=values)
def test_every_call_refuses_what_is_not_its_shape(cast, path: str, body: Any):
    data = json.dumps(body).encode()

    reply = cast.door.post(path.format(room=cast.room), None, cast.host_key, data=data)

    assert reply.status < 500
    assert reply.status < 300 or reply.json["status"] == reply.status
