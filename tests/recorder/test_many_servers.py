"""The pipeline with everything that a larger house has: PostgreSQL, Redis, and an S3 service, each the real thing."""

from pathlib import Path

import brokers
import pytest
import s3
from tracks import Film
from workshop import Workshop


@pytest.mark.timeout(300)
def test_a_recording_becomes_a_film_on_postgresql_redis_and_s3(
    postgresql, request, serve, s3_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import Databases

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET)
    databases = Databases("postgresql", request, tmp_path)
    server = serve(databases.settings(storage_url=s3_server.url(tmp_path.name)), workers=2)
    with brokers.redis() as broker:
        workshop = Workshop(server, tmp_path, broker)
        try:
            workshop.work()
            workshop.enqueue(*workshop.record())
            done = workshop.comes_to("ready", "failed")
            assert (done["state"], done["reason"]) == ("ready", None)
            assert Film(workshop.download(workshop.film())).seconds == pytest.approx(3, abs=0.1)
            archive = workshop.download_archive()
            assert {one.filename for one in archive.infolist() if one.filename.endswith(".webm")} == {
                one["name"] for one in done["artifacts"] if one["kind"] == "track"
            }
            assert archive.testzip() is None
            kept = s3.names(s3_server, tmp_path.name)
            assert len([name for name in kept if "/recordings/" in name]) == len(done["artifacts"])
            assert not [name for name in kept if "/uploads/" in name]

            workshop.ask("delete")

            assert s3.names(s3_server, tmp_path.name) == set()
        finally:
            workshop.close()
            server.close()
            databases.drop()
