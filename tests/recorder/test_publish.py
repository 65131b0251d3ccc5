"""Files reach the server and come back whole, through a line that is cut again and again."""

from pathlib import Path
from typing import Any

import people
import pytest
from lines import CuttingLine
from people import Cast, Gunicorn

from recorder import publish
from recorder.config import Settings
from recorder.publish import Library, Refused, sha256_of


class Post:
    """A recording on a real server, and a library that reaches it through the line."""

    def __init__(self, server: Gunicorn, root: Path) -> None:
        self.cast, self.line, self.root = Cast(server), CuttingLine(server.port), root
        _, self.recording, _ = self.cast.record()
        self.waited: list[float] = []
        settings = Settings.from_environ(
            {
                "LETTERBOX_SERVER_URL": f"http://127.0.0.1:{self.line.port}",
                "LETTERBOX_RECORDER_KEY": people.RECORDER_KEY,
                "LETTERBOX_WORK_DIR": str(root / "work"),
            }
        )
        self.library = Library(settings, self.waited.append)

    def file(self, size: int, name: str = "film.mp4") -> Path:
        path = self.root / name
        path.write_bytes(bytes(number * 31 % 251 for number in range(1000)) * (size // 1000))
        return path

    def upload(self, path: Path, name: str = "Ana – Büro 100%.mp4") -> dict[str, Any]:
        return self.library.upload(self.recording, path, name, "track", {"file": path.name})

    def listed(self) -> dict[str, Any]:
        (artifact,) = self.library.describe(self.recording)["artifacts"]
        return artifact


@pytest.fixture
def post(sqlite, serve, tmp_path: Path):
    made = Post(serve(sqlite.settings()), tmp_path)
    yield made
    made.library.close()
    made.line.close()


def test_a_file_goes_and_comes_back(post: Post) -> None:
    path = post.file(3_000_000)
    made = post.upload(path)
    assert (made["kind"], made["bytes"], made["sha256"]) == ("track", 3_000_000, sha256_of(path))
    post.library.fetch(post.listed(), post.root / "there" / "film.mp4")
    assert (post.root / "there" / "film.mp4").read_bytes() == path.read_bytes()


def test_an_upload_that_is_cut_goes_on_and_arrives_whole(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "PIECE_BYTES", 1 << 20)
    path = post.file(4_000_000)
    post.line.cuts_left, post.line.after_bytes = 4, 700_000
    made = post.upload(path)
    assert post.line.cut == 4
    assert made["sha256"] == sha256_of(path)
    assert post.waited, "it waits before it tries again"


def test_an_answer_that_is_lost_changes_nothing(post: Post) -> None:
    path = post.file(2_000_000)
    post.line.way, post.line.cuts_left = "down", 3
    post.upload(path)
    post.line.way, post.line.cuts_left = "down", 1
    post.upload(path)
    assert post.listed()["sha256"] == sha256_of(path)


def test_a_download_that_is_cut_goes_on_where_it_was(post: Post) -> None:
    path = post.file(6_000_000)
    post.upload(path)
    artifact = post.listed()
    post.line.way, post.line.after_bytes, post.line.cuts_left = "down", 1_500_000, 3
    post.library.fetch(artifact, post.root / "back.mp4")
    assert post.line.cut == 3, "begun anew each time, it would have been cut more often"
    assert sha256_of(post.root / "back.mp4") == artifact["sha256"]
    assert not list(post.root.glob("*.partial"))


def test_what_is_here_is_not_fetched_again(post: Post) -> None:
    path = post.file(1_000_000)
    post.upload(path)
    artifact = post.listed()
    post.line.close()
    post.library.fetch(artifact | {"url": "/nowhere"}, path)


def test_a_download_that_is_not_the_same_is_refused_and_forgotten(post: Post) -> None:
    post.upload(post.file(1_000_000))
    wrong = post.listed() | {"sha256": "0" * 64}
    with pytest.raises(ValueError, match="did not arrive"):
        post.library.fetch(wrong, post.root / "back.mp4")
    assert not list(post.root.glob("back*"))


def test_the_beginning_of_another_file_does_not_spoil_this_one(post: Post) -> None:
    where = f"recordings/{post.recording}/uploads/film.mp4"
    post.cast.door.post(f"{where}?offset=0", None, people.RECORDER_KEY, data=b"another film" * 1000)
    path = post.file(2_000_000)
    assert post.upload(path, "film.mp4")["sha256"] == sha256_of(path)


def test_an_empty_file_is_a_file(post: Post) -> None:
    assert post.upload(post.file(0))["bytes"] == 0


def test_a_refusal_is_not_tried_again(post: Post) -> None:
    with pytest.raises(Refused) as refusal:
        post.library.describe("rnobody")
    assert refusal.value.status == 404
    assert not post.waited
