"""What browsers are told about every answer, and that no page of ours runs anything but our own files."""

import re
from pathlib import Path

import pytest

from tests.people import House

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ("/", "/check", "/api", "/admin", "/s/none", "/r/none", "/nothing")


@pytest.fixture
def house(sqlite, open_house) -> House:
    return open_house(sqlite.settings(admin_key="ak_of_the_tests_0123456789", trusted_proxies=1))


def policy(reply) -> dict[str, list[str]]:
    parts = reply.headers["Content-Security-Policy"].split(";")
    return {words[0]: words[1:] for words in (part.split() for part in parts) if words}


@pytest.mark.parametrize("path", PAGES)
def test_every_page_runs_only_our_own_files_and_may_use_only_what_a_call_needs(house, path):
    reply = house.ask("GET", path)
    rules = policy(reply)

    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == ["'self'"]
    assert rules["base-uri"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'"} & {word for words in rules.values() for word in words}
    assert "camera=(self)" in reply.headers["Permissions-Policy"]
    for feature in ("geolocation", "payment", "usb", "serial", "hid"):
        assert f"{feature}=()" in reply.headers["Permissions-Policy"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"


def test_no_template_has_script_or_style_in_it():
    for path in (ROOT / "templates").glob("*.html"):
        text = path.read_text()
        for script in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in script or 'type="application/json"' in script, (path.name, script)
        assert not re.search(r"<style\b|\sstyle=|\son\w+=|javascript:|\|\s*safe\b", text), path.name


def test_no_script_makes_markup_or_code_from_text():
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")
    for path in (ROOT / "static").rglob("*.js"):
        assert not forbidden.search(path.read_text()), path


def test_what_a_person_typed_is_text_in_the_page(house):
    title = "</script><script>alert(1)</script>\"><img src=x onerror=alert(1)>'"
    room, _ = house.room(title)

    for path in (f"/r/{room}", f"/r/{room}/recordings"):
        page = house.ask("GET", path).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_only_over_tls_browsers_are_told_to_stay_there(house):
    plain, tls = house.ask("GET", "/"), house.ask("GET", "/", X_Forwarded_Proto="https")

    assert "Strict-Transport-Security" not in plain.headers
    assert tls.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert tls.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_no_answer_of_the_api_can_run_as_a_page(house):
    for path in ("/api/v1/openapi.json", "/api/v1/rooms/none", "/healthz"):
        assert policy(house.ask("GET", path))["default-src"] == ["'none'"], path
        assert "sandbox" in policy(house.ask("GET", path)), path


def test_only_get_and_post_are_answered(house):
    room, _ = house.room()

    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        assert house.ask(method, f"/api/v1/rooms/{room}").status == 405


@pytest.mark.parametrize(
    "name", ["../../secrets.json", "..%2f..%2fsecrets.json", "a/../../b", "/etc/passwd", "con\x00", ".", "x" * 300]
)
def test_a_files_name_never_leads_out_of_the_storage(house, name):
    from tests.people import RECORDER_KEY, Cast

    cast = Cast(house)
    rec, recording, _ = cast.record()
    before = {path for path in house.settings.data_dir.rglob("*") if path.is_file()}

    house.post(f"recordings/{recording}/uploads/{name}?offset=0", None, RECORDER_KEY, data=b"x")
    about = {"name": name, "kind": "track", "media_type": "video/webm", "bytes": 1, "sha256": "0" * 64}
    rec.calls(f"recordings/{recording}/artifacts", about)

    made = {path for path in house.settings.data_dir.rglob("*") if path.is_file()} - before
    files = house.settings.data_dir / "files"
    assert all(path.resolve().is_relative_to(files) for path in made if "letterbox.db" not in path.name)
    assert house.ask("GET", f"/static/{name}").status in (308, 400, 404)
