"""The steps from a stopped recording to files people like: signaling/jobs.py, STEPS. Each can be run again.

What a step needs it takes from this disk, or from the server when another host has made it; what it makes it hands to the server.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from recorder import manifest as manifests
from recorder import naming, remux
from recorder.chapters import as_webvtt, chapters
from recorder.compose import Seen, Wish, compose
from recorder.config import Settings
from recorder.layout import audio_tracks
from recorder.levels import Levels, measure
from recorder.manifest import Manifest, Track
from recorder.poster import poster
from recorder.publish import Library, sha256_of
from recorder.quality import judge
from recorder.thumbnails import sheet
from recorder.verify import Verified, verify
from recorder.waveform import Waveform, draw

Progress = Callable[[float, float | None], None]
Dark = dict[tuple[str, str], list[tuple[int, int]]]
_RESULTS = TypeAdapter(list[Verified])
_LEVELS = TypeAdapter(dict[str, Levels])


def _length_s(artifact: dict[str, Any]) -> float:
    return float(artifact["meta"].get("duration_us", 0)) / 1e6


class _Share:
    """Progress through several files, by their lengths in seconds; and how long the rest will take."""

    def __init__(self, progress: Progress, lengths_s: list[float]) -> None:
        self._progress, self._lengths_s, self._done = progress, lengths_s, 0
        self._whole_s, self._began_s = sum(lengths_s) or 1.0, time.monotonic()

    def seconds(self, within: float) -> None:
        """So much of the file at hand."""
        share = min(1.0, (sum(self._lengths_s[: self._done]) + within) / self._whole_s)
        passed_s = time.monotonic() - self._began_s
        self._progress(share * 100, passed_s / share * (1 - share) if share else None)

    def next(self) -> None:
        self._done += 1
        self.seconds(0.0)


class Failed(Exception):
    """The recording cannot be made into anything; the text says why, for people."""


class Pipeline:
    """One recording's steps. progress(percent, seconds left) may raise to stop a step that has been given to another."""

    def __init__(self, settings: Settings, library: Library, recording: str, progress: Progress) -> None:
        self._settings, self._library, self._recording, self._tell = settings, library, recording, progress
        self._told: tuple[float, float | None] = (0, None)
        library.moved = self._alive
        self._home = settings.work_dir / recording
        self._folder = self._home / "pipeline"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._described = library.describe(recording)
        self._found: dict[str, Path] = {}

    def _progress(self, percent: float, eta_s: float | None) -> None:
        self._told = percent, eta_s
        self._tell(percent, eta_s)

    def _alive(self) -> None:
        """No further, but a file is on its way."""
        self._tell(*self._told)

    def run(self, step: str) -> None:
        """Raises Failed, or what the world does."""
        steps: dict[str, Callable[[], None]] = {
            "verify": self.verify, "manifest": self.manifest, "poster": self.poster, "sound": self.sound,
            "compose": self.compose, "thumbnails": self.thumbnails, "quality": self.quality, "publish": self.publish,
        }  # fmt: skip
        steps[step]()

    # -- the steps ----------------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        results: list[Verified] = []
        tracks = self._artifacts("track")
        share = _Share(self._progress, [_length_s(track) for track in tracks])
        for artifact in tracks:
            results.append(verify(self._local(artifact), share.seconds))
            share.next()
        if not any(result.usable for result in results):
            raise Failed("None of the tracks can be played.")
        self._write("verify.json", _RESULTS.dump_json(results))

    def manifest(self) -> None:
        whole = self._stitched()
        usable = {result.file for result in self._verified() if result.usable}
        whole.tracks = [track for track in whole.tracks if track.file in usable]
        manifests.save(whole, self._folder / "manifest.json")
        self._upload("manifest.json", "manifest")
        self._write("chapters.vtt", as_webvtt(chapters(whole)).encode())
        self._upload("chapters.vtt", "chapters")

    def poster(self) -> None:
        """Before anything is verified: a track that cannot be played gives no picture, and no error."""
        whole = self._stitched()
        if not whole.duration_us:
            return
        poster(whole, self._path, self._folder / "poster.jpg")
        self._upload("poster.jpg", "poster")

    def _stitched(self) -> Manifest:
        parts = [manifests.load(self._local(artifact)) for artifact in self._artifacts("segment")]
        if not parts:
            raise Failed("The recorder left no description of what it recorded.")
        whole = manifests.stitch(parts)
        whole.consent = [manifests.Consent.model_validate(row) for row in self._described["consent"]]
        manifests.mark_withdrawn(whole)
        return whole

    def sound(self) -> None:
        """Listen to every voice once: how loud, and when."""
        whole = self._manifest()
        measured = self._measured(whole)
        self._write("waveform.json", draw(whole, list(measured.items())).model_dump_json().encode())
        self._upload("waveform.json", "waveform")

    def compose(self) -> None:
        whole = self._manifest()
        for track in whole.tracks:
            self._path(track)
        copied = remux.suffix(whole)
        # Where nobody was to be seen there is nothing to draw either.
        suffix = copied or (".mp4" if any(track.kind == "video" for track in whole.tracks) else ".m4a")
        target = self._folder / f"composed{suffix}"
        seen = Seen()
        if copied:
            remux.remux(whole, self._path, target, self._progress)
        else:
            seen = compose(whole, self._path, target, self._progress, Wish(format=suffix[1:], gains=self._waveform().gains))
        name = naming.composed_name(naming.date_of(whole.started_at_ms), whole.title, suffix)
        meta = {
            "version": 1, "layout": "grid", "format": suffix[1:], "duration_us": whole.duration_us, "copied": bool(copied),
            "dark": [[*who, *stretch] for who, stretches in seen.dark.items() for stretch in stretches],
            "spoilt": seen.spoilt,
        }  # fmt: skip
        self._library.upload(self._recording, target, name, "composed", meta)

    def thumbnails(self) -> None:
        """Of the film that people see. A sound film has none."""
        (film,) = [artifact for artifact in self._artifacts("composed") if artifact["meta"].get("version", 1) == 1][-1:]
        if film["media_type"].startswith("video/"):
            length_s = float(film["meta"]["duration_us"]) / 1e6
            share = _Share(self._progress, [length_s])
            cues = sheet(self._local(film), length_s, self._folder / "thumbnails.jpg", share.seconds)
            self._write("thumbnails.vtt", cues.encode())
            self._upload("thumbnails.jpg", "thumbnails")
            self._upload("thumbnails.vtt", "thumbnails-index")

    def quality(self) -> None:
        dark: Dark = {}
        spoilt: dict[str, int] = {}
        for film in self._artifacts("composed"):
            for participant, source, begin, end in film["meta"].get("dark", []):
                dark.setdefault((participant, source), []).append((begin, end))
            spoilt |= film["meta"].get("spoilt", {})
        # Of all that was recorded: the manifest leaves out what nobody can play.
        report = judge(self._stitched(), self._verified(), self._measured(self._manifest()), dark, spoilt)
        self._write("quality.json", report.model_dump_json().encode())
        self._upload("quality.json", "quality", {"verdict": report.verdict})

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

    def _measured(self, whole: Manifest) -> dict[str, Levels]:
        """File → levels of each audio track; measured again when that was on another host, or other tracks have come since."""
        path, files = self._folder / "levels.json", {track.file for track in audio_tracks(whole)}
        if path.exists():
            known = _LEVELS.validate_json(path.read_bytes())
            if known.keys() == files:
                return known
        found: dict[str, Levels] = {}
        share = _Share(self._progress, [track.duration_us / 1e6 for track in audio_tracks(whole)])
        for track in audio_tracks(whole):
            found[track.file] = measure(self._path(track), track, share.seconds)
            share.next()
        self._write("levels.json", _LEVELS.dump_json(found))
        return found

    def _waveform(self) -> Waveform:
        for artifact in self._artifacts("waveform"):
            return Waveform.model_validate_json(self._local(artifact).read_bytes())
        return Waveform()

    def _upload(self, name: str, kind: str, meta: dict[str, Any] | None = None) -> None:
        self._library.upload(self._recording, self._folder / name, name, kind, meta)

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
