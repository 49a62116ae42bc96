"""What lies behind and below the model: a plain colour, a studio's wall, or nothing; and a soft shadow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float32, Float64, UInt8
from PIL import ImageColor

from ...errors import UsageError
from ...views.cameras import Camera
from .ray_caster import Caster

STUDIO, TRANSPARENT = "studio", "transparent"
_WALL_TOP, _WALL_BOTTOM, _VIGNETTE = (0.93, 0.935, 0.945), (0.79, 0.80, 0.815), 0.05
SHADOW = 0.62  # how dark the ground is where no light reaches it
_TEXELS, _RAYS, _EXTENT = 96, 48, 1.7  # of the shadow: texels along a side, rays each, half side in radii
_SOFTNESS = 2.0  # texels
_LAYERS = 4  # of cut-outs that a shadow ray may cross


class Shadow:
    """How much of the sky each place of the ground lacks.

    Attributes:
        height: of the ground.
    """

    def __init__(self, casters: Sequence[Caster], height: float) -> None:
        """`casters`: the model in several poses, whose mean is taken."""
        self.height = height
        total = sum(_sky_hidden(caster, height) for caster in casters) / len(casters)
        self._dark = scipy.ndimage.gaussian_filter(total, _SOFTNESS).astype(np.float32)

    def seen(self, camera: Camera, shape: tuple[int, int]) -> Float32[np.ndarray, "H W"]:
        """Its opacity in a picture, 0..1."""
        rows, columns = shape
        result = np.zeros(rows * columns, np.float32)
        if camera.eye[1] <= self.height:  # from below the ground is not seen
            return result.reshape(shape)
        right, up, forward = camera.axes
        y = (np.arange(rows) + 0.5 - rows / 2) * -camera.pitch
        x = (np.arange(columns) + 0.5 - columns / 2) * camera.pitch
        direction = forward + y[:, None, None] * up + x[None, :, None] * right  # (H, W, 3)
        with np.errstate(divide="ignore"):
            along = (self.height - camera.eye[1]) / direction[..., 1]
        hit = np.flatnonzero((along > 0) & (along < 100))
        place = camera.eye + along.reshape(-1)[hit, None] * direction.reshape(-1, 3)[hit]
        texel = (place[:, [2, 0]] / _EXTENT + 1) / 2 * _TEXELS - 0.5
        inside = ((texel > 0) & (texel < _TEXELS - 1)).all(1)
        found = scipy.ndimage.map_coordinates(self._dark, texel[inside].T, order=1)
        result[hit[inside]] = found * SHADOW
        return result.reshape(shape)


def _sky_hidden(caster: Caster, height: float) -> Float64[np.ndarray, "T T"]:
    """Share of a cosine-weighted sky that the model hides from each texel of the ground; fades to the border."""
    at = ((np.arange(_TEXELS) + 0.5) / _TEXELS * 2 - 1) * _EXTENT
    z, x = np.meshgrid(at, at, indexing="ij")
    places = np.stack([x, np.full_like(x, height - 1e-3), z], -1).reshape(-1, 3)
    hidden = np.zeros(len(places))
    # Each texel has its own spiral, so that what too few rays miss is noise, which the blur takes away.
    turn = np.random.default_rng(0).random(len(places)) * 2 * math.pi
    for i in range(_RAYS):  # over the disc below the hemisphere (Malley's method)
        radius, angle = math.sqrt((i + 0.5) / _RAYS), i * math.pi * (3 - math.sqrt(5)) + turn
        up = np.full(len(places), math.sqrt(1 - radius * radius))
        directions = np.stack([radius * np.cos(angle), up, radius * np.sin(angle)], -1)
        hidden += _blocked(caster, places, directions)
    fade = np.clip((1 - np.hypot(x, z) / _EXTENT) / 0.3, 0, 1)
    return (hidden / _RAYS).reshape(x.shape) * fade


def _blocked(
    caster: Caster, places: Float64[np.ndarray, "N 3"], directions: Float64[np.ndarray, "N 3"]
) -> Bool[np.ndarray, "N"]:
    """Which rays meet something that is not see-through. Faces seen from behind block, too."""
    blocked = np.zeros(len(places), bool)
    alive, start = np.arange(len(places)), np.zeros(len(places))
    for _ in range(_LAYERS):
        if not len(alive):
            break
        meeting = caster.meet(places[alive], directions[alive], start[alive])
        solid = caster.opacity(meeting) >= 0.5
        rays = alive[meeting.ray]
        blocked[rays[solid]] = True
        start[rays] = meeting.distance + 1e-4
        alive = rays[~solid]
    return blocked


class Backdrop:
    """Pictures in front of a background.

    Attributes:
        transparent: whether pictures keep their alpha.
    """

    def __init__(self, background: str, shape: tuple[int, int]) -> None:
        """`background`: a colour as CSS has it, "studio" or "transparent". Raises UsageError."""
        self.transparent = background == TRANSPARENT
        self._wall = np.zeros((*shape, 3), np.float32)
        if background == STUDIO:
            self._wall[:] = _studio_wall(shape)
        elif not self.transparent:
            self._wall[:] = np.array(parse_colour(background), np.float32) / 255

    def compose(
        self, picture: UInt8[np.ndarray, "H W 4"], shadow: Float32[np.ndarray, "H W"] | None
    ) -> UInt8[np.ndarray, "H W C"]:
        """RGB, or RGBA with straight alpha, from premultiplied sRGB."""
        front = picture.astype(np.float32) / 255
        room = 1 - front[..., 3:]
        dark = np.zeros_like(room) if shadow is None else shadow[..., None]
        if not self.transparent:
            result = front[..., :3] + room * (1 - dark) * self._wall
            return np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8)
        alpha = front[..., 3:] + room * dark
        colour = np.divide(front[..., :3], alpha, out=np.zeros_like(front[..., :3]), where=alpha > 0)
        return np.rint(np.clip(np.concatenate([colour, alpha], -1), 0, 1) * 255).astype(np.uint8)


def parse_colour(text: str) -> tuple[int, int, int]:
    """sRGB 0..255 of `white`, `#aabbcc`, `rgb(…)`. Raises UsageError."""
    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except (ValueError, TypeError) as error:
        raise UsageError(
            "--background",
            f"{text!r} is no colour",
            f"Give a colour (white, #aabbcc), {STUDIO} or {TRANSPARENT}.",
        ) from error
    return red, green, blue


def _studio_wall(shape: tuple[int, int]) -> Float32[np.ndarray, "H W 3"]:
    """Light grey that darkens downwards and towards the corners."""
    rows, columns = shape
    y, x = np.linspace(0, 1, rows)[:, None], np.linspace(-1, 1, columns)[None]
    blend = (y**1.4)[..., None]
    wall = np.array(_WALL_TOP) * (1 - blend) + np.array(_WALL_BOTTOM) * blend
    return (wall - _VIGNETTE * (x * x + (2 * y - 1) ** 2)[..., None] / 2).astype(np.float32)
