"""The steps from a stopped recording to files people like: signaling/library/jobs.py, STEPS. Each can be run again.

What a step needs it takes from this disk, or from the server when another host has made it; what it makes it hands to the server.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from recorder import manifest as manifests
from recorder import naming, remux
from recorder.chapters import as_webvtt, chapters
from recorder.compose import NothingToCompose, Progress, Seen, Stretches, Wish, compose
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

# As signaling/library/jobs.py has them; each is a method of Pipeline.
STEPS = ("poster", "verify", "manifest", "sound", "compose", "thumbnails", "quality", "publish")
VERSION = "version-"
Result = TypeVar("Result")
_RESULTS = TypeAdapter(list[Verified])
_LEVELS = TypeAdapter(dict[str, Levels])


def _length_s(artifact: dict[str, Any]) -> float:
    return float(artifact["meta"].get("duration_us", 0)) / 1e6


class _Share:
    """Progress through several files, by their lengths in seconds; and how long the rest will take."""

    def __init__(self, progress: Progress, lengths_s: list[float]) -> None:
        self._progress, self._done_s = progress, [0.0] * len(lengths_s)
        self._whole_s, self._began_s = sum(lengths_s) or 1.0, time.monotonic()

    def of(self, number: int) -> Callable[[float], None]:
        """Where to say how many seconds of this file are done; from any thread."""

        def seconds(done: float) -> None:
            self._done_s[number] = done
            share = min(1.0, sum(self._done_s) / self._whole_s)
            passed_s = time.monotonic() - self._began_s
            self._progress(share * 100, passed_s / share * (1 - share) if share else None)

        return seconds


def _each(work: Callable[..., Result], share: _Share, paths: list[Path], *more: list[Any]) -> list[Result]:
    """Several files at once: work(path, …, seconds). What decodes them lets go of the interpreter meanwhile."""
    with ThreadPoolExecutor(os.cpu_count(), "tracks") as pool:
        return list(pool.map(work, paths, *more, map(share.of, range(len(paths)))))


class Failed(Exception):
    """The recording cannot be made into anything; the text says why, for people."""


def reason_of(step: str, error: Exception) -> str:
    """Why a step failed, for people: our own words where we have them."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk of the machine that works on it is full. What was recorded is safe: make room there, then try again."
    ours = isinstance(error, Failed | NothingToCompose)
    return (str(error) if ours else f"The step {step} failed: {error or type(error).__name__}")[:2000]


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
        if step.startswith(VERSION):
            self.version(int(step.removeprefix(VERSION)))
            return
        steps: dict[str, Callable[[], None]] = {name: getattr(self, name) for name in STEPS}
        steps[step]()

    # -- the steps ----------------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        self._leave_out_removed()
        tracks = self._artifacts("track")
        share = _Share(self._progress, [_length_s(track) for track in tracks])
        results = _each(verify, share, [self._local(track) for track in tracks])
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
        whole = manifests.without(manifests.stitch(parts), self._removed())
        whole.consent = [manifests.Consent.model_validate(row) for row in self._described["consent"]]
        manifests.mark_withdrawn(whole)
        return whole

    def _removed(self) -> set[str]:
        """Who was taken out of the recording."""
        return {str(act["participant"]) for act in self._described.get("removed", [])}

    def _leave_out_removed(self) -> None:
        """What still tells of them, here or on the server, is written again without."""
        removed = self._removed()
        for artifact in self._artifacts("segment") if removed else ():
            path = self._local(artifact)
            known = manifests.load(path)
            if manifests.without(known, removed) != known:
                path = self._folder / path.name
                manifests.save(manifests.without(known, removed), path)
                self._library.upload(self._recording, path, artifact["name"], "segment", artifact["meta"])
        for path in self._home.glob("*/segment.json") if removed else ():
            known = manifests.load(path)
            for track in known.tracks:
                if track.participant in removed:
                    (path.parent / track.file).unlink(missing_ok=True)
            manifests.save(manifests.without(known, removed), path)

    def sound(self) -> None:
        """Listen to every voice once: how loud, and when."""
        whole = self._manifest()
        measured = self._measured(whole)
        self._write("waveform.json", draw(whole, list(measured.items())).model_dump_json().encode())
        self._upload("waveform.json", "waveform")

    def compose(self) -> None:
        self._film(self._manifest(), {"version": 1, "layout": "grid"})

    def version(self, n: int) -> None:
        """A film as somebody wished it. What it needs is fetched, and not kept."""
        wish = next((one for one in self._described["versions"] if one["n"] == n), None)
        if wish is None:
            raise Failed("Nobody wants this version any more.")
        whole = self._manifest()
        end_us = whole.duration_us if wish["end_ms"] is None else wish["end_ms"] * 1000
        part = manifests.part_of(whole, wish["start_ms"] * 1000, end_us, wish["people"])
        known = ("title", "layout", "people", "format")
        self._film(part, {"version": n} | {key: wish[key] for key in known}, wish["start_ms"] * 1000)
        self._forget_local_copies()

    def _film(self, whole: Manifest, meta: dict[str, Any], start_us: int = 0) -> None:
        """Make a film and hand it in. meta: version, layout, and, where somebody has asked for one, format.

        start_us: where on the recording's timeline it begins.
        """
        for track in whole.tracks:
            self._path(track)
        copied = remux.suffix(whole)
        # Where nobody was to be seen there is nothing to draw either.
        found = copied or (".mp4" if any(track.kind == "video" for track in whole.tracks) else ".m4a")
        suffix = f".{meta['format']}" if "format" in meta else found
        target = self._folder / f"composed-{meta['version']}{suffix}"
        waveform, seen = self._waveform(), Seen()
        if copied == suffix:
            remux.remux(whole, self._path, target, self._progress, waveform.gains_without_clipping())
        else:
            wish = Wish(suffix[1:], meta["layout"], waveform.spans_us(start_us), waveform.gains)
            seen = compose(whole, self._path, target, self._progress, wish)
        meta |= {
            "format": suffix[1:], "start_us": start_us, "end_us": start_us + whole.duration_us, "duration_us": whole.duration_us,
            "copied": copied == suffix, "spoilt": seen.spoilt,
            "dark": [[*who, *stretch] for who, stretches in seen.dark.items() for stretch in stretches],
        }  # fmt: skip
        self._library.upload(self._recording, target, self._film_name(whole, meta, suffix), "composed", meta)

    def _film_name(self, whole: Manifest, meta: dict[str, Any], suffix: str) -> str:
        number = meta["version"]
        date = naming.date_of(whole.started_at_ms - meta["start_us"] // 1000)
        taken = {one["name"] for one in self._artifacts("composed") if one["meta"].get("version", 1) != number}
        title = str(meta.get("title") or "") if number > 1 else ""
        name = naming.composed_name(date, whole.title, suffix, title or (str(number) if number > 1 else ""))
        return name if name not in taken else naming.composed_name(date, whole.title, suffix, f"{title} {number}".strip())

    def thumbnails(self) -> None:
        """Of the film that people see. A sound film has none."""
        (film,) = [artifact for artifact in self._artifacts("composed") if artifact["meta"].get("version", 1) == 1][-1:]
        if film["media_type"].startswith("video/"):
            length_s = float(film["meta"]["duration_us"]) / 1e6
            share = _Share(self._progress, [length_s])
            cues = sheet(self._local(film), length_s, self._folder / "thumbnails.jpg", share.of(0))
            self._write("thumbnails.vtt", cues.encode())
            self._upload("thumbnails.jpg", "thumbnails")
            self._upload("thumbnails.vtt", "thumbnails-index")

    def quality(self) -> None:
        dark: Stretches = {}
        spoilt: dict[str, int] = {}
        for film in self._artifacts("composed"):
            if film["meta"].get("version", 1) != 1:
                continue
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
        tracks = audio_tracks(whole)
        share = _Share(self._progress, [track.duration_us / 1e6 for track in tracks])
        measured = _each(measure, share, [self._path(track) for track in tracks], tracks)
        found = {track.file: levels for track, levels in zip(tracks, measured, strict=True)}
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
