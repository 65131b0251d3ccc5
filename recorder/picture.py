"""Planes of yuv420p as arrays: the canvas, and what is pasted on it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from recorder.font import font_for, readable

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint16]
BACKGROUND = (17, 20, 24)
CELL = (36, 43, 50)
CIRCLE, CIRCLE_INK = (29, 58, 52), (92, 196, 173)
NOTE_INK = (176, 186, 194)


@dataclass(frozen=True)
class Planes:
    """One picture: brightness in full, colour in half size both ways."""

    y: Bytes
    u: Bytes
    v: Bytes


@dataclass(frozen=True)
class Label:
    """A small picture, and how much of it covers what is behind. over: each plane by how much it covers, 0 to 256; under: how
    much of what is behind is left."""

    over: tuple[Words, Words, Words]
    under: tuple[Words, Words, Words]

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width)"""
        return self.over[0].shape


def to_planes(frame: Any) -> Planes:
    """A yuv420p frame's planes, without the padding at the end of their lines."""
    arrays = []
    for index, plane in enumerate(frame.planes):
        width = frame.width if index == 0 else frame.width // 2
        height = frame.height if index == 0 else frame.height // 2
        arrays.append(np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width])
    return Planes(*arrays)


def from_image(image: Image.Image) -> Planes:
    """An RGB picture as planes; its sides are even."""
    frame = av.VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), format="rgb24").reformat(
        format="yuv420p", dst_colorspace="itu601"
    )
    planes = to_planes(frame)
    return Planes(planes.y.copy(), planes.u.copy(), planes.v.copy())


class Canvas:
    """What becomes one frame of the film."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        blank = from_image(Image.new("RGB", (16, 16), BACKGROUND))
        self._blank = int(blank.y[0, 0]), int(blank.u[0, 0]), int(blank.v[0, 0])
        self._frame: Any = av.VideoFrame(width, height, "yuv420p")
        self.planes = to_planes(self._frame)
        self.clear()

    def clear(self) -> None:
        for plane, value in zip((self.planes.y, self.planes.u, self.planes.v), self._blank, strict=True):
            plane[:] = value

    def paste(self, picture: Planes, x: int, y: int) -> None:
        """Put a picture at x, y (even)."""
        height, width = picture.y.shape
        self.planes.y[y : y + height, x : x + width] = picture.y
        self.planes.u[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2] = picture.u
        self.planes.v[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2] = picture.v

    def fill(self, x: int, y: int, width: int, height: int) -> None:
        """Back to the background."""
        for plane, value, part in zip((self.planes.y, self.planes.u, self.planes.v), self._blank, (1, 2, 2), strict=True):
            plane[y // part : (y + height) // part, x // part : (x + width) // part] = value

    def blend(self, label: Label, x: int, y: int) -> None:
        """Put a label at x, y (even), what is behind shining through."""
        height, width = label.size
        full, half = np.s_[y : y + height, x : x + width], np.s_[y // 2 : (y + height) // 2, x // 2 : (x + width) // 2]
        places = self.planes.y[full], self.planes.u[half], self.planes.v[half]
        for place, over, under in zip(places, label.over, label.under, strict=True):
            # At most 255 · 256: sixteen bits are enough.
            place[:] = (place * under + over) >> 8

    def frame(self) -> Any:
        """As a frame to encode: the same one each time, drawn on further after the encoder has taken its copy."""
        return self._frame


@lru_cache(256)
def name_label(name: str, most_width: int) -> Label:
    """A name on a dark pill, no wider than its cell."""
    font = font_for(name, 17)
    name, dots = readable(name, font), readable("…", font)
    if font.getlength(name) > most_width - 40:
        while name and font.getlength(name + dots) > most_width - 40:
            name = name[:-1].rstrip()
        name += dots
    width, height = (int(font.getlength(name)) + 24) // 2 * 2, 30
    mask = Image.new("L", (width * 2, height * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 2 - 1, height * 2 - 1), height, fill=170)
    image = Image.new("RGB", (width, height), (12, 14, 16))
    ink = Image.new("L", (width, height), 0)
    ImageDraw.Draw(image).text((12, height / 2), name, font=font, fill=(255, 255, 255), anchor="lm")
    ImageDraw.Draw(ink).text((12, height / 2), name, font=font, fill=255, anchor="lm")
    alpha = np.maximum(np.asarray(mask.resize((width, height))), np.asarray(ink)).astype(np.uint16)
    half, planes = alpha[::2, ::2], from_image(image)
    return Label((planes.y * alpha, planes.u * half, planes.v * half), (256 - alpha, 256 - half, 256 - half))


@lru_cache(256)
def placeholder(name: str, width: int, height: int, note: str = "") -> Planes:
    """A cell for who sends no picture: their initials in a circle. note: below it, why, if there is anything to say."""
    image = Image.new("RGB", (width, height), CELL)
    draw = ImageDraw.Draw(image)
    radius = min(width, height) * 0.24
    centre = (width / 2, height / 2)
    draw.ellipse((centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius), fill=CIRCLE)
    initials = "".join(word[0] for word in name.split()[:2]).upper() or "?"
    font = font_for(initials, max(10, int(radius * 0.85)))
    draw.text(centre, readable(initials, font), font=font, fill=CIRCLE_INK, anchor="mm")
    if note:
        _write_below(draw, note, width, height, centre[1] + radius)
    return from_image(image)


def _write_below(draw: ImageDraw.ImageDraw, note: str, width: int, height: int, top: float) -> None:
    """As large as the cell allows; left out of one in which nobody could read it."""
    size = next((size for size in range(26, 9, -2) if font_for(note, size).getlength(note) <= width - 16), None)
    if size is not None and top + size * 1.6 < height:
        font = font_for(note, size)
        draw.text((width / 2, top + size), readable(note, font), font=font, fill=NOTE_INK, anchor="mm")


class Fit:
    """Scales frames into cells. One for each thread: it keeps its tables from frame to frame."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any, width: int, height: int) -> tuple[Planes, int, int]:
        """A decoded frame scaled into a cell, its shape kept; and how far from the cell's corner it lies (even)."""
        scale = min(width / frame.width, height / frame.height)
        fit_width, fit_height = max(2, round(frame.width * scale) // 2 * 2), max(2, round(frame.height * scale) // 2 * 2)
        # A hair's breadth of border is worse than a hair's breadth of distortion.
        fit_width = width if width - fit_width <= 4 else fit_width
        fit_height = height if height - fit_height <= 4 else fit_height
        if (frame.width, frame.height, frame.format.name) != (fit_width, fit_height, "yuv420p"):
            frame = self._reformatter.reformat(frame, fit_width, fit_height, "yuv420p", interpolation="BILINEAR", threads=1)
        return to_planes(frame), (width - fit_width) // 4 * 2, (height - fit_height) // 4 * 2
