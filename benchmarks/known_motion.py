"""A short film whose every motion is known: a shipped model turns and moves before a photo that moves and grows.

The model is drawn with rays, so that the surface point behind each pixel, and where it lies in any other frame, are
exact; the photo moves by a similarity. Nothing here knows of the optical flow that `meshstyle video` estimates.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.views.cameras import Camera, camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

_DEPTH_SLACK = 2e-3  # bounding radii
_BORDER = 3  # pixels beside the model's silhouette that count nowhere: they show the model and the photo


class KnownMotion:
    """The film and its motion."""

    def __init__(
        self,
        model: Path,
        photo: Path,
        frames: int = 60,
        size: int = 192,
        still: bool = False,
        texture: Path | None = None,
    ) -> None:
        """`size`: pixels across; `still`: the photo does not move; `texture`: what the model shows instead of its own
        image, whose plain areas turn without being seen to."""
        self.count, self.still = frames, still
        self.shape = (round(size * 3 / 4), size)
        self._renderer = Renderer(load_asset(model))
        if texture is not None:
            image = np.asarray(Image.open(texture).convert("RGB").resize((1024, 1024)), np.float32) / 255
            self._renderer = self._renderer.repainted({0: image})
        picture = Image.open(photo).convert("RGB")
        scale = 1.5 * size / picture.width
        resized = picture.resize((round(1.5 * size), round(picture.height * scale)), Image.Resampling.LANCZOS)
        self._photo = np.asarray(resized, np.float32) / 255
        self._drawn: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def frame(self, number: int) -> np.ndarray:
        """(H, W, 3) uint8."""
        colour, mask = self._model(number)
        height, width = self.shape
        behind = cv2.warpAffine(
            self._photo,
            self._similarity(number)[:2],
            (width, height),
            flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        shown = colour + (1 - mask[..., None]) * behind
        return np.rint(shown.clip(0, 1) * 255).astype(np.uint8)

    def places(self, number: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Where each pixel of a frame lies in another one, (H, W, 2) as x, y; and whether it is seen in both."""
        height, width = self.shape
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3).astype(float)
        across = np.linalg.inv(self._similarity(other)) @ self._similarity(number)
        places = (pixels @ across.T)[:, :2].reshape(height, width, 2)
        mask, there = self._model(number)[1], self._model(other)[1]
        behind = ~_grown(mask > 0) & (_read(_grown(there > 0), places) == 0)
        solid = ~_grown(mask < 0.999)
        carried, seen = self._carry(number, other)
        places[solid] = carried[solid]
        whole = _read(~_grown(there < 0.999), places) > 0.999
        visible = behind | (solid & seen & whole)
        inside = ((places >= 2) & (places <= np.array([width - 3, height - 3]))).all(-1)
        return places.astype(np.float32), visible & inside

    def model_mask(self, number: int) -> np.ndarray:
        """How much of each pixel the model covers."""
        return self._model(number)[1]

    def write(self, folder: Path) -> Path:
        """The frames as numbered pictures."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(self.count):
            (folder / f"{number:04d}.png").write_bytes(encode_png(self.frame(number)))
        return folder

    def _camera(self, number: int) -> Camera:
        turn = math.radians(150 + 1.5 * number)
        direction = np.array([math.sin(turn) * 0.97, 0.25, math.cos(turn) * 0.97])
        phase = 2 * math.pi * number / 60
        centre = np.array([0.25 * math.sin(phase), 0.05 * math.cos(phase), 0.25 * math.cos(phase)])
        return camera_towards_centre(direction / np.linalg.norm(direction), self.shape[0], centre, 1.1)

    def _similarity(self, number: int) -> np.ndarray:
        """From a frame's pixels (x, y, 1) to the photo's."""
        number = 0 if self.still else number
        grown, turned = 1 - 0.003 * number, 0.002 * number
        cos, sin = grown * math.cos(turned), grown * math.sin(turned)
        unit = self.shape[1] / 192
        return np.array(
            [[cos, -sin, unit * (6 + 0.83 * number)], [sin, cos, unit * (8 + 0.37 * number)], [0, 0, 1]]
        )

    def _model(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Premultiplied colour and coverage."""
        if number not in self._drawn:
            image = self._renderer.render(self._camera(number), 4, frame=self.shape)
            assert image is not None
            self._drawn[number] = image.colour, image.mask
        return self._drawn[number]

    def _carry(self, number: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of the model carried along their surface points, and whether these are seen from there."""
        height, width = self.shape
        camera, target = self._camera(number), self._camera(other)
        rows, columns = np.divmod(np.arange(height * width), width)
        rays = camera.directions(rows + 0.5 - height / 2, columns + 0.5 - width / 2)
        tracer = self._renderer.tracer
        triangle, _, distance = tracer.first_hits(np.broadcast_to(camera.eye, rays.shape), rays)
        hit = triangle >= 0
        points = np.where(hit[:, None], camera.eye + rays * distance[:, None], 0.0)
        place = target.project(points) + np.array([height, width]) / 2 - 0.5
        way = points - target.eye
        length = np.linalg.norm(way, axis=1)
        _, _, reached = tracer.first_hits(np.broadcast_to(target.eye, way.shape), way / length[:, None])
        seen = hit & (np.abs(reached - length) < _DEPTH_SLACK)
        return place[:, ::-1].reshape(height, width, 2), seen.reshape(height, width)


def _grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * _BORDER + 1,) * 2, np.uint8)) > 0


def _read(mask: np.ndarray, places: np.ndarray) -> np.ndarray:
    x, y = (places[..., axis].astype(np.float32) for axis in (0, 1))
    return cv2.remap(mask.astype(np.float32), x, y, cv2.INTER_LINEAR, borderValue=0)


def warped_difference(
    film: KnownMotion, frames: list[np.ndarray], gap: int, only: int | None = None
) -> float:
    """RMSE (of 0..1) between frames and those `gap` before, carried along the known motion; seen pixels only.

    `only`: the one frame to look at; None: all of them.
    """
    total, count = 0.0, 0
    for number in range(gap, len(frames)) if only is None else [only]:
        places, seen = film.places(number, number - gap)
        before = frames[number - gap].astype(np.float32) / 255
        carried = cv2.remap(
            before, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        difference = (frames[number].astype(np.float32) / 255 - carried)[seen]
        total += float((difference**2).sum())
        count += difference.size
    return math.sqrt(total / max(count, 1))
