"""Where recordings are kept: the same in a folder and in a real S3 service; and what people hear when that is away or full."""

import hashlib
import io
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import s3
from people import RECORDER_KEY, Cast, House
from s3 import SwiftServer

from signaling.library import disposal


@pytest.fixture
def service(s3_server: SwiftServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SwiftServer]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET)
    yield s3_server
    s3_server.start()


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, sqlite, open_house, tmp_path: Path) -> tuple[House, Callable[[], set[str]]]:
    """A house, and what lies in its storage: names."""
    if request.param == "folder":
        settings = sqlite.settings()
        files = settings.data_dir / "files"
        return open_house(settings, housekeeping=False), lambda: {str(path) for path in files.rglob("*") if path.is_file()}
    server = request.getfixturevalue("service")
    prefix = tmp_path.name
    house = open_house(sqlite.settings(storage_url=server.url(prefix)), housekeeping=False)
    return house, lambda: s3.names(server, prefix)


def piece(cast: Cast, recording: str, name: str, offset: int, data: bytes):
    return cast.door.post(f"recordings/{recording}/uploads/{name}?offset={offset}", None, RECORDER_KEY, data=data)


def finishes(cast: Cast, recording: str, name: str, data: bytes, **more):
    about = {"name": name, "kind": "track", "media_type": "video/webm", "bytes": len(data)} | more
    about.setdefault("sha256", hashlib.sha256(data).hexdigest())
    return cast.door.post(f"recordings/{recording}/artifacts", about, RECORDER_KEY)


def url_of(cast: Cast, recording: str, name: str) -> str:
    found = cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]["artifacts"]
    return next(artifact["url"] for artifact in found if artifact["name"] == name)


def test_an_upload_in_pieces_goes_on_where_it_was_cut_and_comes_back_as_it_was(kept) -> None:
    cast, data = Cast(kept[0]), bytes(range(256)) * 80_000  # 20 MB: parts of a part of it
    _, recording, _ = cast.recorded()
    half = len(data) // 3

    assert piece(cast, recording, "film.webm", 0, data[: half // 2])["received"] == half // 2
    assert piece(cast, recording, "film.webm", half, data[half : half + 99])["received"] == half // 2, "not the next"
    at = half // 2
    while at < len(data):
        at = piece(cast, recording, "film.webm", at, data[at : at + 5_000_000])["received"]
    assert finishes(cast, recording, "film.webm", data).status == 201

    url = url_of(cast, recording, "film.webm")
    whole = cast.door.get(url)
    assert (whole.status, whole.content == data, whole.headers["Content-Length"]) == (200, True, str(len(data)))
    part = cast.door.get(url, Range=f"bytes={half}-{half + 9}")
    assert (part.status, part.content) == (206, data[half : half + 10])
    assert part.headers["Content-Range"] == f"bytes {half}-{half + 9}/{len(data)}"
    rest = cast.door.get(url, Range=f"bytes={len(data) - 5}-", If_Range=whole.headers["ETag"])
    assert (rest.status, rest.content) == (206, data[-5:])
    assert cast.door.get(url, If_None_Match=whole.headers["ETag"]).status == 304
    assert cast.door.get(url, Range=f"bytes={len(data)}-").status == 416
    packed = cast.door.get(cast.door.get(f"rooms/{cast.room}/recordings", cast.host_key)["recordings"][0]["archive"])
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.read("film.webm") == data
    assert packed.headers["Content-Length"] == str(len(packed.content))


def test_an_upload_that_is_not_what_was_announced_leaves_nothing_and_can_begin_anew(kept) -> None:
    cast, files = Cast(kept[0]), kept[1]
    _, recording, _ = cast.recorded()
    before = files()
    piece(cast, recording, "b.webm", 0, b"other bytes")

    refused = finishes(cast, recording, "b.webm", b"what it is.")

    assert (refused.status, refused["type"]) == (422, "/problems/not-the-same")
    assert {name for name in files() - before if "/uploads/" not in name} == set()
    assert piece(cast, recording, "b.webm", 0, b"what it ")["received"] == 8
    assert piece(cast, recording, "b.webm", 8, b"is.")["received"] == 11
    assert finishes(cast, recording, "b.webm", b"what it is.").status == 201
    assert {name for name in files() if "/uploads/" in name} == set()


def test_a_file_in_place_of_another_and_a_deleted_recording_leave_nothing_behind(kept) -> None:
    cast, files = Cast(kept[0]), kept[1]
    rec, recording, _ = cast.recorded({"ana.webm": b"one"})
    rec.uploads(recording, "ana.webm", b"another")
    assert len(files()) == 1
    piece(cast, recording, "begun.webm", 0, b"half")

    gone = cast.door.post(f"recordings/{recording}/delete", {}, cast.host_key)

    assert gone["deleted"] == {"files": 1, "bytes": 7}
    assert files() == set()


def test_signed_addresses_lead_to_the_storage_itself(service, sqlite, open_house, tmp_path) -> None:
    settings = sqlite.settings(storage_url=service.url(tmp_path.name), downloads="signed")
    house = open_house(settings, housekeeping=False)
    cast = Cast(house)
    rec, recording, _ = cast.recorded({"Ana – Käse.webm": b"her picture"})
    rec.uploads(recording, "waveform.json", b"{}", kind="waveform", media_type="application/json")

    answer = cast.door.get(url_of(cast, recording, "Ana – Käse.webm") + "&download=1")

    assert answer.status == 302
    assert answer.headers["Location"].startswith(service.endpoint)
    there = httpx.get(answer.headers["Location"], headers={"Range": "bytes=4-"})
    assert (there.status_code, there.content) == (206, b"picture")
    assert "filename*=UTF-8''Ana%20%E2%80%93%20K%C3%A4se.webm" in there.headers["Content-Disposition"]
    assert there.headers["Content-Type"] == "video/webm"
    assert cast.door.get(url_of(cast, recording, "waveform.json")).content == b"{}", "what scripts read comes from us"
    with_films = cast.door.get(f"/r/{cast.room}/recordings").headers["Content-Security-Policy"]
    assert f"media-src 'self' blob: {service.endpoint};" in with_films


def test_while_the_storage_is_away_nothing_is_lost_and_what_was_to_be_deleted_is_deleted_later(
    service, sqlite, open_house, tmp_path
) -> None:
    house = open_house(sqlite.settings(storage_url=service.url(tmp_path.name)), housekeeping=False)
    cast = Cast(house)
    _, recording, _ = cast.recorded({"ana.webm": b"her picture"})
    elsewhere = Cast(house)
    _, other, _ = elsewhere.recorded({"ben.webm": b"his picture"})
    url = url_of(cast, recording, "ana.webm")
    piece(cast, recording, "late.webm", 0, b"first ")
    service.stop()

    refused = [piece(cast, recording, "late.webm", 6, b"second"), cast.door.get(url)]
    deleted = cast.door.post(f"recordings/{other}/delete", {}, elsewhere.host_key)

    for one in refused:
        assert (one.status, one["type"], one.headers["Retry-After"]) == (503, "/problems/storage-away", "5")
    assert deleted.status == 200
    service.start()
    assert any(other in name for name in s3.names(service, tmp_path.name))
    assert piece(cast, recording, "late.webm", 6, b"second")["received"] == 12
    assert finishes(cast, recording, "late.webm", b"first second").status == 201
    assert cast.door.get(url).content == b"her picture"
    disposal.finish(house.server)
    assert not any(other in name for name in s3.names(service, tmp_path.name))


def test_a_full_disk_is_said_and_what_is_there_stays(sqlite, open_house) -> None:
    settings = sqlite.settings(min_free_mb=0)
    files = settings.data_dir / "files"
    files.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", files], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        cast = Cast(open_house(settings, housekeeping=False))
        _, recording, _ = cast.recorded({"ana.webm": b"her picture"})

        refused = piece(cast, recording, "film.webm", 0, bytes(3_000_000))

        assert (refused.status, refused["type"]) == (507, "/problems/storage-full")
        assert cast.door.get(url_of(cast, recording, "ana.webm")).content == b"her picture"
    finally:
        subprocess.run(["umount", files], check=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("STORAGE_URL", "ftp://x"), ("STORAGE_URL", "/srv/files"), ("DOWNLOADS", "by mail")],
)
def test_settings_that_cannot_be_stop_the_start(name: str, value: str) -> None:
    from signaling.config import BadSetting, Settings

    with pytest.raises(BadSetting, match=name):
        Settings.from_environ({f"LETTERBOX_{name}": value})
