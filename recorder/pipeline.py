"""The steps from a stopped recording to files people like: verify, manifest, poster, compose, publish. Each can be run again.

What a step needs it takes from this disk, or from the server when another host has made it; what it makes it hands to the server.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from recorder import manifest as manifests
from recorder import naming
from recorder.compose import compose
from recorder.config import Settings
from recorder.manifest import Manifest, Track
from recorder.poster import poster
from recorder.publish import Library, sha256_of
from recorder.verify import Verified, verify

Progress = Callable[[float, float | None], None]
_RESULTS = TypeAdapter(list[Verified])


class Failed(Exception):
    """The recording cannot be made into anything; the text says why, for people."""


class Pipeline:
    """One recording's steps. progress(percent, seconds left) may raise to stop a step that has been given to another."""

    def __init__(self, settings: Settings, library: Library, recording: str, progress: Progress) -> None:
        self._settings, self._library, self._recording, self._progress = settings, library, recording, progress
        self._home = settings.work_dir / recording
        self._folder = self._home / "pipeline"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._described = library.describe(recording)
        self._found: dict[str, Path] = {}

    def run(self, step: str) -> None:
        """Raises Failed, or what the world does."""
        steps: dict[str, Callable[[], None]] = {
            "verify": self.verify, "manifest": self.manifest, "poster": self.poster,
            "compose": self.compose, "publish": self.publish,
        }  # fmt: skip
        steps[step]()

    # -- the steps ----------------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        tracks = self._artifacts("track")
        total_s = sum(float(track["meta"].get("duration_us", 0)) for track in tracks) / 1e6 or 1.0
        results, done_s = [], 0.0
        for artifact in tracks:
            path = self._local(artifact)
            results.append(verify(path, lambda seconds, before=done_s: self._progress((before + seconds) / total_s * 100, None)))  # type: ignore[misc]
            done_s += float(artifact["meta"].get("duration_us", 0)) / 1e6
            self._progress(min(100.0, done_s / total_s * 100), None)
        if not any(result.usable for result in results):
            raise Failed("None of the tracks can be played.")
        self._write("verify.json", _RESULTS.dump_json(results))

    def manifest(self) -> None:
        parts = [manifests.load(self._local(artifact)) for artifact in self._artifacts("segment")]
        if not parts:
            raise Failed("The recorder left no description of what it recorded.")
        whole = manifests.stitch(parts)
        usable = {result.file for result in self._verified() if result.usable}
        whole.tracks = [track for track in whole.tracks if track.file in usable]
        whole.consent = [manifests.Consent.model_validate(row) for row in self._described["consent"]]
        manifests.mark_withdrawn(whole)
        manifests.save(whole, self._folder / "manifest.json")
        self._library.upload(self._recording, self._folder / "manifest.json", "manifest.json", "manifest")

    def poster(self) -> None:
        whole = self._manifest()
        if not whole.duration_us:
            return
        target = self._folder / "poster.jpg"
        poster(whole, self._path, target)
        self._library.upload(self._recording, target, "poster.jpg", "poster")

    def compose(self) -> None:
        whole = self._manifest()
        for track in whole.tracks:
            self._path(track)
        name = naming.composed_name(naming.date_of(whole.started_at_ms), whole.title, ".mp4")
        target = self._folder / "composed.mp4"
        compose(whole, self._path, target, self._progress)
        self._library.upload(self._recording, target, name, "composed", {"duration_us": whole.duration_us})

    def publish(self) -> None:
        kinds = {artifact["kind"] for artifact in self._library.describe(self._recording)["artifacts"]}
        missing = {"manifest", "composed"} - kinds
        if missing:
            raise Failed(f"The server lacks the {' and the '.join(sorted(missing))}.")
        self._forget_local_copies()

    def _forget_local_copies(self) -> None:
        """Remove what is on this disk, but nothing the server has not: every track is compared by its hash."""
        there = {artifact["sha256"] for artifact in self._artifacts("track")}
        for path in self._home.glob("*/segment.json"):
            for track in manifests.load(path).tracks:
                if track.sha256 not in there:
                    raise Failed(f"The track {track.file} is not on the server yet; it is kept where it was recorded.")
        shutil.rmtree(self._home, ignore_errors=True)

    # -- what they need -------------------------------------------------------------------------------------------------------

    def _artifacts(self, kind: str) -> list[dict[str, Any]]:
        return [artifact for artifact in self._described["artifacts"] if artifact["kind"] == kind]

    def _local(self, artifact: dict[str, Any]) -> Path:
        """The artifact's file on this disk: the recorder's own, or fetched."""
        name = str(artifact["meta"].get("file") or artifact["name"])
        made_here = self._home / str(artifact["meta"].get("segment", "")) / name
        if artifact["id"] not in self._found:
            if (
                not made_here.is_file()
                or made_here.stat().st_size != artifact["bytes"]
                or sha256_of(made_here) != artifact["sha256"]
            ):
                made_here = self._folder / Path(name).name
                self._library.fetch(artifact, made_here)
            # Once a step: reading an hour through to be sure that it is the same takes seconds.
            self._found[artifact["id"]] = made_here
        return self._found[artifact["id"]]

    def _path(self, track: Track) -> Path:
        for artifact in self._artifacts("track"):
            if artifact["meta"].get("file") == track.file:
                return self._local(artifact)
        raise Failed(f"The file {track.file} is missing.")

    def _manifest(self) -> Manifest:
        path = self._folder / "manifest.json"
        # What is here may be from before another segment came.
        for artifact in self._artifacts("manifest"):
            self._library.fetch(artifact, path)
        return manifests.load(path)

    def _verified(self) -> list[Verified]:
        """What verify found; found again when that was on another host."""
        path = self._folder / "verify.json"
        if not path.exists():
            self.verify()
        return _RESULTS.validate_json(path.read_bytes())

    def _write(self, name: str, data: bytes) -> None:
        partial = self._folder / f"partial-{name}"
        partial.write_bytes(data)
        partial.replace(self._folder / name)
