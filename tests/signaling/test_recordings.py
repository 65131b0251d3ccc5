"""A recording on the server: asked for, claimed, followed, lost and found, finished, downloaded, deleted."""

import calendar
import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from people import RECORDER_KEY, Cast, House, Recorder
from sqlalchemy import text

from signaling import clock
from signaling.library import jobs, keeping, recordings

STEPS = list(jobs.STEPS)


@pytest.fixture
def house(databases, open_house) -> House:
    """Its sweeps are done by hand."""
    return open_house(databases.settings(), housekeeping=False)


def sweep(cast: Cast) -> None:
    cast.door.server.unsettled = True
    recordings.sweep(cast.door.server)


def kinds(person, kind: str) -> list:
    return [body for k, body in person.is_told() if k == kind]


def step(rec: Recorder, recording: str, name: str, **news):
    return rec.calls(f"recordings/{recording}/jobs/{name}", news)


def claim_step(rec: Recorder, recording: str, name: str, worker: str = "w1"):
    return rec.calls(f"recordings/{recording}/jobs/{name}/claim", {"worker": worker})


def test_recording_goes_from_request_to_ready_and_everybody_sees_it(cast: Cast) -> None:
    rec = cast.rec()
    started = cast.host("start")
    recording = started["recording"]["id"]
    assert started["recording"]["state"] == "requested"
    assert kinds(rec, "invite") == [{"recording": recording, "room": cast.room, "people": 2}]
    claimed = rec.claim(recording)
    assert (claimed.status, claimed["room"], claimed["title"]) == (200, cast.room, "Board meeting")
    segment = claimed["segment"]
    report = {"segment": segment, "state": "recording", "tracks": [{"participant": cast.bob.id, "source": "camera", "lost": 0}]}
    assert rec.calls(f"recordings/{recording}/report", report)["wanted"] == "recording"
    assert cast.host("pause").status == 200
    assert rec.calls(f"recordings/{recording}/report", report)["wanted"] == "paused"
    rec.calls(f"recordings/{recording}/report", report | {"state": "paused"})
    cast.host("resume")
    rec.calls(f"recordings/{recording}/report", report)
    assert cast.host("mark", label="The vote").status == 200
    assert rec.uploads(recording, "bob.webm", b"picture").status == 201
    cast.host("stop")
    assert rec.calls(f"recordings/{recording}/report", report)["wanted"] == "stopped"
    ended = rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped", "duration_ms": 61000})
    assert ended.json == {"next": ["poster"]}
    for name, following in zip(STEPS, [*STEPS[1:], None], strict=True):
        attempt = claim_step(rec, recording, name)["attempt"]
        assert step(rec, recording, name, attempt=attempt, progress=50, eta_s=3).json == {"next": []}
        assert step(rec, recording, name, attempt=attempt, state="done").json == {"next": [following] if following else []}
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.alice.token)["recordings"][0]
    assert (found["state"], found["progress"], found["duration_ms"], found["reason"]) == ("ready", 100, 61000, None)
    told = kinds(cast.bob, "recording")
    states = [body["recording"]["state"] for body in told]
    assert [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]] == [
        "requested", "starting", "recording", "paused", "recording", "stopping", "processing", "ready",
    ]  # fmt: skip
    assert [body["mark"]["label"] for body in told if "mark" in body] == ["The vote"]


def test_recording_twice_is_409_and_changes_nothing(cast: Cast) -> None:
    first = cast.host("start")["recording"]
    cast.bob.hear()
    refused = cast.host("start")
    assert (refused.status, refused["type"]) == (409, "/problems/already-recording")
    assert cast.bob.is_told() == []
    assert cast.door.get(f"rooms/{cast.room}").json["recording"]["id"] == first["id"]


@pytest.mark.parametrize("action", ["stop", "pause", "resume", "mark"])
def test_nothing_to_stop_is_409(cast: Cast, action: str) -> None:
    refused = cast.host(action)
    assert (refused.status, refused["type"]) == (409, "/problems/not-recording")


def test_two_starts_at_once_make_one_recording(cast: Cast) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = [done.result() for done in [pool.submit(cast.host, "start") for _ in range(4)]]
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


def test_request_without_a_recorder_waits_and_says_so_and_the_recorder_that_comes_is_invited(cast: Cast) -> None:
    asked = cast.host("start")["recording"]
    assert asked["state"] == "requested"
    assert "recorder" in asked["reason"]
    assert kinds(cast.rec(), "invite") == [{"recording": asked["id"], "room": cast.room, "people": 2}]


def test_of_recorders_that_race_exactly_one_gets_the_recording(cast: Cast) -> None:
    crew = [cast.rec() for _ in range(4)]
    recording = cast.host("start")["recording"]["id"]
    with ThreadPoolExecutor(4) as pool:
        answers = [done.result() for done in [pool.submit(rec.claim, recording) for rec in crew]]
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


def test_silent_recorder_loses_the_recording_to_another(cast: Cast, later) -> None:
    rec, recording, segment = cast.record()
    other = cast.rec()
    assert other.claim(recording).status == 409
    later(11)
    sweep(cast)
    assert kinds(other, "invite") == [{"recording": recording, "room": cast.room, "people": 2}]
    second = other.claim(recording)
    assert second.status == 200
    assert second["segment"] != segment
    late = rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})
    assert (late.status, late["type"]) == (409, "/problems/lease-lost")
    assert rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped"}).status == 409
    assert other.calls(f"recordings/{recording}/report", {"segment": second["segment"], "state": "recording"}).status == 200


def test_reports_keep_the_recording(cast: Cast, later) -> None:
    rec, recording, segment = cast.record()
    other = cast.rec()
    for _ in range(3):
        later(8)
        assert rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"}).status == 200
    sweep(cast)
    assert kinds(other, "invite") == []


def test_closing_the_room_stops_its_recording(cast: Cast) -> None:
    rec, recording, segment = cast.record()
    rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})
    assert cast.door.post(f"rooms/{cast.room}/close", {}, cast.host_key).status == 200
    assert rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})["wanted"] == "stopped"
    rec.uploads(recording, "a.webm", b"x")
    assert rec.calls(f"recordings/{recording}/end", {"segment": segment}).json == {"next": ["poster"]}


def test_stopping_recorder_that_never_comes_back_leaves_what_it_had_sent(cast: Cast, later) -> None:
    rec, recording, segment = cast.record()
    rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})
    rec.uploads(recording, "a.webm", b"half of it")
    cast.host("stop")
    later(75)
    sweep(cast)
    assert cast.state(recording) == "processing"


def test_recording_nobody_entered_fails_with_a_reason(cast: Cast) -> None:
    rec, recording, segment = cast.record()
    cast.host("stop")
    assert rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "empty"}).json == {"next": []}
    found = cast.door.get(f"recordings/{recording}", RECORDER_KEY)
    assert found["state"] == "failed"
    assert "Nothing was recorded" in found["reason"]


def test_end_sent_twice_changes_nothing(cast: Cast) -> None:
    rec, recording, segment = cast.recorded()
    assert rec.calls(f"recordings/{recording}/end", {"segment": segment, "reason": "stopped"}).json == {"next": ["poster"]}
    with ThreadPoolExecutor(4) as pool:
        again = [pool.submit(rec.calls, f"recordings/{recording}/end", {"segment": segment}) for _ in range(4)]
    assert [done.result().status for done in again] == [200] * 4


def test_two_ends_at_once_start_the_pipeline_once(cast: Cast) -> None:
    rec, recording, segment = cast.record()
    rec.uploads(recording, "a.webm", b"x")
    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(rec.calls, f"recordings/{recording}/end", {"segment": segment}) for _ in range(4)]
    assert [done.result().status for done in ends] == [200] * 4


# -- the pipeline ----------------------------------------------------------------------------------------------------------


def test_of_workers_that_race_exactly_one_gets_the_step(cast: Cast) -> None:
    rec, recording, _ = cast.recorded()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(claim_step, rec, recording, "poster", f"w{k}") for k in range(4)]
    assert sorted(done.result().status for done in answers) == [200, 409, 409, 409]


def test_steps_come_one_after_the_other(cast: Cast) -> None:
    rec, recording, _ = cast.recorded()
    assert claim_step(rec, recording, "compose").status == 409
    assert claim_step(rec, recording, "dance").status in (404, 409)


def test_step_whose_worker_fell_silent_is_told_again_exactly_once(cast: Cast, later) -> None:
    rec, recording, _ = cast.recorded()
    claim_step(rec, recording, "poster")
    rec.hear()
    later(31)
    sweep(cast)
    sweep(cast)
    assert kinds(rec, "process") == [{"recording": recording, "step": "poster"}]
    assert step(rec, recording, "poster", attempt=1, progress=99).status == 409, "the silent one was replaced"
    assert claim_step(rec, recording, "poster", "w2")["attempt"] == 2


def test_step_nobody_took_is_told_again(cast: Cast, later) -> None:
    rec, recording, _ = cast.recorded()
    rec.hear()
    sweep(cast)
    assert kinds(rec, "process") == []
    later(31)
    sweep(cast)
    assert kinds(rec, "process") == [{"recording": recording, "step": "poster"}]


def test_three_cut_offs_fail_with_a_reason(cast: Cast, later) -> None:
    rec, recording, _ = cast.recorded()
    for attempt in (1, 2, 3):
        assert claim_step(rec, recording, "poster")["attempt"] == attempt
        later(31)
        sweep(cast)
    found = cast.door.get(f"recordings/{recording}", RECORDER_KEY)
    assert found["state"] == "failed"
    assert "cut off 3 times" in found["reason"]
    assert claim_step(rec, recording, "poster").status == 409
    assert kinds(cast.bob, "recording")[-1]["recording"]["state"] == "failed"


def test_three_failures_fail_with_the_last_reason(cast: Cast) -> None:
    rec, recording, _ = cast.recorded()
    for attempt in (1, 2, 3):
        assert claim_step(rec, recording, "poster")["attempt"] == attempt
        assert step(rec, recording, "poster", attempt=attempt, state="failed", reason=f"No. {attempt}").json == {"next": []}
    found = cast.door.get(f"recordings/{recording}", RECORDER_KEY)
    assert (found["state"], found["reason"]) == ("failed", "No. 3")


def test_done_said_twice_is_answered_twice_alike(cast: Cast) -> None:
    rec, recording, _ = cast.recorded()
    claim_step(rec, recording, "poster")
    first, second = (step(rec, recording, "poster", attempt=1, state="done") for _ in range(2))
    assert first.json == second.json == {"next": ["verify"]}


# -- files -----------------------------------------------------------------------------------------------------------------


def send_piece(cast: Cast, recording: str, offset: int, data: bytes, name: str = "a.webm"):
    return cast.door.post(f"recordings/{recording}/uploads/{name}?offset={offset}", None, RECORDER_KEY, data=data)


def test_upload_in_pieces_goes_on_where_it_was_cut(cast: Cast) -> None:
    rec, recording, _ = cast.record()
    assert send_piece(cast, recording, 0, b"one ").json == {"received": 4}
    wrong = send_piece(cast, recording, 9, b"three")
    assert (wrong.status, wrong["type"], wrong["received"]) == (409, "/problems/wrong-offset", 4)
    assert cast.door.get(f"recordings/{recording}/uploads/a.webm", RECORDER_KEY).json == {"received": 4}
    assert send_piece(cast, recording, 4, b"two").json == {"received": 7}
    assert send_piece(cast, recording, 4, b"two").status == 409, "a repeated piece is not added again"
    about = {
        "name": "a.webm",
        "kind": "track",
        "media_type": "video/webm",
        "bytes": 7,
        "sha256": hashlib.sha256(b"one two").hexdigest(),
    }
    for wrong_about in ({"bytes": 8}, {"sha256": "0" * 64}, {"name": "b.webm"}):
        assert rec.calls(f"recordings/{recording}/artifacts", about | wrong_about).status == 422
    made = rec.calls(f"recordings/{recording}/artifacts", about)
    assert made.status == 201
    again = rec.calls(f"recordings/{recording}/artifacts", about)
    assert (again.status, again["id"]) == (201, made["id"]), "an answer that was lost is given again"
    assert cast.door.get(f"recordings/{recording}/uploads/a.webm", RECORDER_KEY).json == {"received": 0}


def test_same_piece_sent_twice_at_once_is_added_once(cast: Cast) -> None:
    _, recording, _ = cast.record()
    send_piece(cast, recording, 0, b"x")
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(send_piece, cast, recording, 1, b"y" * 300_000) for _ in range(4)]
    assert sorted(done.result().status for done in answers) == [200, 409, 409, 409]
    assert cast.door.get(f"recordings/{recording}/uploads/a.webm", RECORDER_KEY).json == {"received": 300_001}


def test_piece_over_the_limit_is_413(sqlite, open_house) -> None:
    cast = Cast(open_house(sqlite.settings(max_piece_bytes=1000)))
    _, recording, _ = cast.record()
    assert send_piece(cast, recording, 0, b"x" * 1001).status == 413
    assert cast.door.get(f"recordings/{recording}/uploads/a.webm", RECORDER_KEY).json == {"received": 0}


def test_database_that_fails_while_a_file_is_published_loses_nothing(house: House, cast: Cast) -> None:
    from sqlalchemy import event
    from test_mailbox import Fault

    rec, recording, _ = cast.record()
    fault = Fault()
    event.listen(house.server.engine, "commit", fault.step)
    fault.left = 0
    assert rec.uploads(recording, "a.webm", b"sound").status == 503
    about = {
        "name": "a.webm",
        "kind": "track",
        "media_type": "video/webm",
        "bytes": 5,
        "sha256": hashlib.sha256(b"sound").hexdigest(),
    }
    assert rec.calls(f"recordings/{recording}/artifacts", about).status == 201


@pytest.mark.parametrize(
    "name", ["..%2f..%2fsecrets.json", "..", "a/../../b", "%2e%2e/%2e%2e/letterbox.db", "/etc/passwd", "ä ö.webm"]
)
def test_no_name_leaves_the_folder(cast: Cast, name: str) -> None:
    _, recording, _ = cast.record()
    before = {path for path in cast.door.settings.data_dir.parent.rglob("*") if path.is_file() and "uploads" not in path.parts}
    assert send_piece(cast, recording, 0, b"x", name).status in (200, 308, 404)
    after = {path for path in cast.door.settings.data_dir.parent.rglob("*") if path.is_file() and "uploads" not in path.parts}
    assert {p.name for p in after - before} <= {"letterbox.db-wal", "letterbox.db-shm"}


@pytest.fixture
def film(cast: Cast) -> dict:
    """A published file of Alice's room."""
    _, recording, _ = cast.recorded({"Board meeting ä.webm": bytes(range(256)) * 4})
    return cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]["artifacts"][0] | {
        "recording": recording
    }


def test_download_with_range_etag_and_name(cast: Cast, film: dict) -> None:
    data = bytes(range(256)) * 4
    whole = cast.door.get(film["url"])
    assert (whole.status, whole.content, whole.headers["Content-Type"]) == (200, data, "video/webm")
    assert whole.headers["Accept-Ranges"] == "bytes"
    etag = whole.headers["ETag"]
    part = cast.door.get(film["url"], Range="bytes=10-19")
    assert (part.status, part.content, part.headers["Content-Range"]) == (206, data[10:20], "bytes 10-19/1024")
    tail = cast.door.get(film["url"], Range="bytes=-4")
    assert (tail.status, tail.content) == (206, data[-4:])
    assert cast.door.get(film["url"], Range="bytes=5000-").status == 416
    assert cast.door.get(film["url"], Range="bytes=10-19", If_Range=etag).status == 206
    assert cast.door.get(film["url"], Range="bytes=10-19", If_Range='"another"').status == 200
    assert cast.door.get(film["url"], If_None_Match=etag).status == 304
    saved = cast.door.get(film["url"] + "&download=1").headers["Content-Disposition"]
    assert saved.startswith("attachment")
    assert "Board%20meeting%20%C3%A4.webm" in saved


def test_only_its_own_signature_opens_a_file(cast: Cast, film: dict) -> None:
    other = Cast(cast.door)
    other.recorded()
    theirs = cast.door.get(f"rooms/{other.room}/recordings", other.host_key)["recordings"][0]["artifacts"][0]
    address, _, signature = film["url"].partition("?signature=")
    assert cast.door.get(address).status == 403
    assert cast.door.get(f"{address}?signature={signature[:-1]}").status == 403
    assert cast.door.get(f"{address}?signature={theirs['url'].partition('?signature=')[2]}").status == 403
    assert cast.door.get(address, cast.alice.token).status == 403, "a token is no signature"
    assert cast.door.get(f"{address}?signature={signature}").status == 200


def test_signature_ends_after_six_hours(cast: Cast, film: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 6 * 3600 + 5)
    assert cast.door.get(film["url"]).status == 403


def test_everything_comes_as_one_zip_of_the_length_that_was_said(cast: Cast) -> None:
    cast.recorded({"2026-11-23 Bürgeramt – Ana (camera).webm": b"picture" * 1000, "ben.webm": b"sound"})
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]

    whole = cast.door.get(found["archive"])

    assert whole.status == 200
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    with zipfile.ZipFile(io.BytesIO(whole.content)) as packed:
        assert packed.testzip() is None
        assert packed.read("2026-11-23 Bürgeramt – Ana (camera).webm") == b"picture" * 1000
        assert sorted(packed.namelist()) == ["2026-11-23 Bürgeramt – Ana (camera).webm", "ben.webm"]
    assert cast.door.get(found["archive"].replace("signature=", "signature=x")).status == 403
    film = found["artifacts"][0]
    assert cast.door.get(found["archive"].split("=")[0] + "=" + film["url"].split("=")[1]).status == 403, (
        "a file's link is no key"
    )


def test_archive_that_was_cut_goes_on_with_the_very_same_bytes(cast: Cast, later) -> None:
    cast.recorded({"ana.webm": b"picture" * 100_000, "ben.webm": b"sound"})
    url = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]["archive"]
    whole = cast.door.get(url)
    began = clock.now_ms()
    later(3600)

    etag, cut, parts = whole.headers["ETag"], 333_333, [whole.content[:333_333]]
    while sum(map(len, parts)) < len(whole.content):
        part = cast.door.get(url, Range=f"bytes={sum(map(len, parts))}-", If_Range=etag)
        assert part.status == 206
        assert part.headers["Content-Range"].endswith(f"/{len(whole.content)}")
        parts.append(part.content[:cut])

    assert b"".join(parts) == whole.content
    with zipfile.ZipFile(io.BytesIO(whole.content)) as packed:
        dated = {calendar.timegm((*one.date_time, 0, 0, 0)) for one in packed.infolist()}
    assert all(abs(at_s - began / 1000) < 600 for at_s in dated)
    changed = cast.door.get(url, Range="bytes=5-", If_Range='"another"')
    assert (changed.status, changed.content) == (200, whole.content)
    assert cast.door.get(url, Range="bytes=99999999-").status == 416


def test_another_rooms_host_sees_neither_list_nor_file_nor_may_delete(cast: Cast, film: dict) -> None:
    assert cast.door.get(f"rooms/{cast.room}/recordings", cast.other_key).status == 403
    assert cast.door.post(f"recordings/{film['recording']}/delete", {}, cast.other_key).status == 403
    assert cast.door.post(f"recordings/{film['recording']}/delete", {}, cast.bob.token).status == 403
    assert cast.door.get(film["url"]).status == 200


def test_delete_really_deletes(cast: Cast, film: dict, engine) -> None:
    recording = film["recording"]
    send_piece(cast, recording, 0, b"half an upload", "b.webm")
    assert cast.door.post(f"recordings/{recording}/delete", {}, cast.host_key).json == {"deleted": {"files": 1, "bytes": 1024}}
    assert cast.door.get(film["url"]).status == 404
    assert cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key).json == {"recordings": []}
    files = cast.door.settings.data_dir / "files"
    assert [path for path in files.rglob("*") if path.is_file()] == []
    with engine.connect() as connection:
        for table in ("recording", "artifact", "segment", "job"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    assert cast.door.post(f"recordings/{recording}/delete", {}, cast.host_key).status == 404


def test_running_recording_cannot_be_deleted(cast: Cast) -> None:
    _, recording, _ = cast.record()
    assert cast.door.post(f"recordings/{recording}/delete", {}, cast.host_key).status == 409
    assert cast.state(recording) == "starting"


def test_a_failed_sweep_is_made_again(house: House, cast: Cast, later) -> None:
    from sqlalchemy import event
    from test_mailbox import Fault

    _, recording, _ = cast.record()
    other = cast.rec()
    later(11)
    house.server.unsettled = True
    fault = Fault()
    event.listen(house.server.engine, "before_cursor_execute", fault.step)
    fault.left = 0
    house.server._do(recordings.sweep)
    assert fault.broke
    house.server._do(recordings.sweep)
    assert kinds(other, "invite") == [{"recording": recording, "room": cast.room, "people": 2}]


def test_hosts_are_told_of_other_alarms_than_before_and_only_they(cast: Cast) -> None:
    rec, recording, segment = cast.record()
    silent = {"participant": cast.bob.id, "source": "microphone", "kind": "silent", "since_ms": 1}
    report = {"segment": segment, "state": "recording", "alarms": [silent]}
    cast.alice.hear(), cast.bob.hear()

    rec.calls(f"recordings/{recording}/report", report)
    rec.calls(f"recordings/{recording}/report", report | {"alarms": [silent | {"since_ms": 2}]})
    rec.calls(f"recordings/{recording}/report", report | {"alarms": []})

    told = [message["body"]["alarms"] for message in cast.alice.hear() if "alarms" in message["body"]]
    assert told == [[silent], []]
    assert not any("alarms" in message["body"] for message in cast.bob.hear())


# -- who may, who waits, who takes over -----------------------------------------------------------------------------------------


def ask(cast: Cast, token: str, action: str):
    return cast.door.post(f"rooms/{cast.room}/recording", {"action": action}, token)


def test_guest_may_not_record_until_the_host_lets_everybody(cast: Cast) -> None:
    refused = ask(cast, cast.bob.token, "start")
    assert (refused.status, refused["type"]) == (403, "/problems/not-yours")

    changed = cast.door.post(f"rooms/{cast.room}/settings", {"who_may_record": "everyone"}, cast.alice.token)

    assert changed["settings"]["who_may_record"] == "everyone"
    assert kinds(cast.bob, "room") == [changed.json]
    assert ask(cast, cast.bob.token, "start").status == 200
    entered = cast.door.post(f"rooms/{cast.room}/participants", {"name": "Dora"})
    assert entered["settings"]["who_may_record"] == "everyone"


def test_only_the_host_changes_settings_and_nonsense_changes_nothing(cast: Cast) -> None:
    path = f"rooms/{cast.room}/settings"
    assert cast.door.post(path, {"who_may_record": "everyone"}, cast.bob.token).status == 403
    assert cast.door.post(path, {"who_may_record": "nobody"}, cast.alice.token).status == 422
    assert cast.door.post(path, {"who_may_record": "everyone"}, cast.charlie.token).status == 403
    assert cast.door.post(path, {}, cast.alice.token)["settings"]["who_may_record"] == "host"


def test_when_the_host_has_left_who_was_there_longest_may_stop_but_not_start(cast: Cast) -> None:
    _, recording, _ = cast.record()
    dora = cast.door.join(cast.room, "Dora")
    assert ask(cast, cast.bob.token, "pause").status == 403

    cast.door.post("leave", {}, cast.alice.token)

    assert ask(cast, dora.token, "pause").status == 403
    assert ask(cast, cast.bob.token, "pause").status == 200
    assert ask(cast, cast.bob.token, "stop").status == 200
    assert ask(cast, cast.bob.token, "start").status == 403
    assert cast.state(recording) == "stopping"


def test_recorders_that_are_busy_say_so_and_those_who_wait_are_told_about_when_it_begins(cast: Cast, later) -> None:
    rec, running, segment = cast.record()
    rec.calls(f"recordings/{running}/report", {"segment": segment, "state": "recording"})
    later(600)
    asked = cast.door.post(f"rooms/{cast.other_room}/recording", {"action": "start"}, cast.charlie.token)["recording"]

    assert rec.calls(f"recordings/{asked['id']}/decline", {"recorder": rec.id, "why": "busy"}).status == 200

    told = kinds(cast.charlie, "recording")[-1]["recording"]
    assert told["waiting"] == {"why": "busy", "place": 1, "starts_in_s": 1200}
    rec.calls(f"recordings/{asked['id']}/decline", {"recorder": rec.id, "why": "busy"})
    assert kinds(cast.charlie, "recording") == [], "nothing has changed"
    assert rec.claim(asked["id"]).status == 200
    assert kinds(cast.charlie, "recording")[-1]["recording"]["waiting"] is None


def test_declining_what_runs_says_nothing(cast: Cast) -> None:
    rec, recording, _ = cast.record()
    cast.bob.hear()

    rec.calls(f"recordings/{recording}/decline", {"recorder": rec.id, "why": "disk"})

    assert kinds(cast.bob, "recording") == []


def test_leaving_recorder_goes_on_until_another_has_claimed_it(cast: Cast) -> None:
    rec, recording, segment = cast.record()
    other = cast.rec()
    report = {"segment": segment, "state": "recording", "leaving": True}

    assert rec.calls(f"recordings/{recording}/report", report)["others"] == 1
    assert kinds(rec, "invite") != []
    assert kinds(other, "invite")[-1]["recording"] == recording
    assert rec.calls(f"recordings/{recording}/report", report).status == 200
    assert other.claim(recording).status == 200

    refused = rec.calls(f"recordings/{recording}/report", report)
    assert (refused.status, refused["type"]) == (409, "/problems/lease-lost")


def test_people_are_told_while_nobody_records_them(cast: Cast, later) -> None:
    rec, recording, segment = cast.record()
    rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})
    cast.bob.hear()
    later(11)

    sweep(cast), sweep(cast)

    told = [body["recording"]["waiting"] for body in kinds(cast.bob, "recording")]
    assert told == [{"why": "interrupted"}]
    rec.calls(f"recordings/{recording}/report", {"segment": segment, "state": "recording"})
    assert [body["recording"]["waiting"] for body in kinds(cast.bob, "recording")] == [None], "it was not gone after all"


@pytest.mark.parametrize(("files", "state"), [({}, "failed"), ({"bob.webm": b"picture"}, "processing")])
def test_recording_that_nobody_records_in_an_empty_room_comes_to_an_end(cast: Cast, later, files, state) -> None:
    rec, recording, _ = cast.record()
    for name, data in files.items():
        rec.uploads(recording, name, data)
    for person in (cast.alice, cast.bob):
        cast.door.post("leave", {}, person.token)
    later(601 + 10)

    sweep(cast)

    assert cast.state(recording) == state


def test_request_that_no_recorder_answers_ends_when_everybody_has_left(cast: Cast, later) -> None:
    recording = cast.host("start")["recording"]["id"]
    later(601)
    sweep(cast)
    assert cast.state(recording) == "requested", "people are still there"
    for person in (cast.alice, cast.bob):
        cast.door.post("leave", {}, person.token)

    sweep(cast)

    found = cast.door.get(f"recordings/{recording}", RECORDER_KEY)
    assert (found["state"], "left" in found["reason"]) == ("failed", True)


def late(cast: Cast, later) -> tuple[Recorder, str, dict, Recorder]:
    """A recording that another recorder took over and ended; what the first is to say when it is back."""
    first, recording, lost_segment = cast.record()
    later(11)
    second = cast.rec()
    segment = second.claim(recording)["segment"]
    second.uploads(recording, "bob.webm", b"picture")
    cast.host("stop")
    second.calls(f"recordings/{recording}/end", {"segment": segment, "duration_ms": 1000})
    return first, recording, {"segment": lost_segment, "duration_ms": 2000}, second


def test_segment_that_comes_after_the_end_has_everything_made_anew(cast: Cast, later) -> None:
    first, recording, news, second = late(cast, later)
    for name in STEPS:
        step(second, recording, name, attempt=claim_step(second, recording, name)["attempt"], state="done")
    assert cast.state(recording) == "ready"

    assert first.calls(f"recordings/{recording}/end", news).json == {"next": ["poster"]}

    assert cast.state(recording) == "processing"
    assert claim_step(first, recording, "poster").status == 200


@pytest.mark.parametrize("last", ["publish", "verify"])
def test_segment_that_comes_while_the_pipeline_runs_has_everything_made_anew_once_when_that_is_done(cast, later, last) -> None:
    first, recording, news, second = late(cast, later)
    *before, end = STEPS[: STEPS.index(last) + 1]
    for name in before:
        step(second, recording, name, attempt=claim_step(second, recording, name)["attempt"], state="done")
    attempt = claim_step(second, recording, end)["attempt"]

    assert first.calls(f"recordings/{recording}/end", news).json == {"next": []}

    while last == "verify" and attempt < 3:
        step(second, recording, end, attempt=attempt, state="failed", reason="no")
        attempt = claim_step(second, recording, end)["attempt"]
    answer = step(second, recording, end, attempt=attempt, state="done" if last == "publish" else "failed", reason="no")
    assert answer.json == {"next": ["poster"]}
    assert cast.state(recording) == "processing"
    for name in STEPS:
        step(second, recording, name, attempt=claim_step(second, recording, name)["attempt"], state="done")
    assert cast.state(recording) == "ready"


# -- keeping ------------------------------------------------------------------------------------------------------------------


def finished(cast: Cast) -> tuple[Recorder, str]:
    rec, recording, _ = cast.recorded()
    for name in STEPS:
        step(rec, recording, name, attempt=claim_step(rec, recording, name)["attempt"], state="done")
    return rec, recording


def keep(cast: Cast, days: int | None) -> None:
    assert cast.door.post(f"rooms/{cast.room}/settings", {"keep_days": days}, cast.alice.token).status == 200


def shown(cast: Cast) -> list:
    return cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"]


def test_recording_is_deleted_everywhere_when_its_time_is_over(cast: Cast, later) -> None:
    rec, recording = finished(cast)
    keep(cast, 30)
    assert shown(cast)[0]["delete_at_ms"] == pytest.approx(clock.now_ms() + 30 * 86_400_000, abs=60_000)
    later(29 * 86400)
    keeping.sweep(cast.door.server)
    assert [one["id"] for one in shown(cast)] == [recording]
    rec.hear()

    later(2 * 86400)
    keeping.sweep(cast.door.server)

    assert shown(cast) == []
    assert kinds(rec, "forget") == [{"recording": recording}]
    assert not list((cast.door.settings.data_dir / "recordings").glob(f"{recording}/*"))


def test_held_recording_and_one_of_a_room_that_keeps_for_ever_stay(cast: Cast, later) -> None:
    _, recording = finished(cast)
    later(3650 * 86400)
    keeping.sweep(cast.door.server)
    keep(cast, 1)
    held = cast.door.post(f"recordings/{recording}/hold", {"held": True}, cast.host_key)
    assert held.json == {"held": True, "delete_at_ms": None}
    keeping.sweep(cast.door.server)
    assert [one["held"] for one in shown(cast)] == [True]
    assert cast.door.post(f"recordings/{recording}/hold", {"held": False}, cast.bob.token).status == 403

    cast.door.post(f"recordings/{recording}/hold", {"held": False}, cast.host_key)
    keeping.sweep(cast.door.server)

    assert shown(cast) == []


def test_deleting_says_what_was_deleted(cast: Cast) -> None:
    _, recording, _ = cast.recorded({"ana.webm": b"12345", "ben.webm": b"678"})
    assert cast.door.post(f"recordings/{recording}/delete", {}, cast.host_key).json == {"deleted": {"files": 2, "bytes": 8}}


@pytest.mark.parametrize("days", [0, -1, 4000, "many"])
def test_nonsense_days_change_nothing(cast: Cast, days) -> None:
    assert cast.door.post(f"rooms/{cast.room}/settings", {"keep_days": days}, cast.alice.token).status == 422


def test_looking_for_what_is_to_be_deleted_reads_nothing_else(sqlite, open_house) -> None:
    house = open_house(sqlite.settings(), housekeeping=False)
    with house.server.reading() as connection:
        statement = keeping.due(clock.now_ms()).compile(house.server.engine, compile_kwargs={"literal_binds": True})
        steps = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    assert steps == ["SEARCH recording USING INDEX ix_recording_held_delete_at_ms (held=? AND delete_at_ms<?)"]


def test_time_that_is_changed_counts_for_recordings_that_are_there_and_those_to_come(cast: Cast) -> None:
    _, earlier = finished(cast)
    keep(cast, 2)
    _, later_one = finished(cast)
    ends = {one["id"]: one["delete_at_ms"] - one["ended_at_ms"] for one in shown(cast)}
    assert ends == {earlier: 2 * 86_400_000, later_one: 2 * 86_400_000}

    keep(cast, None)

    assert [one["delete_at_ms"] for one in shown(cast)] == [None, None]
