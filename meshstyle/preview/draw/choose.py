"""Which renderer draws: OpenGL on EGL, on OSMesa, else rays. OpenGL is tried in a child process first."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from ...errors import UsageError
from ...system.child_process import ChildError, Message, module_program, run_child
from ...views.cameras import Camera
from ..scene.scene import PreviewScene, Shape

PLATFORMS = ("egl", "osmesa")
PROBE = module_program("meshstyle.preview.draw.gl_probe")
_PATIENCE = 60.0  # seconds that a driver may take to start


@runtime_checkable
class FrameRenderer(Protocol):
    """What draws pictures.

    Attributes:
        name: egl, osmesa or rays.
        device: what it draws with, for people.
    """

    name: str
    device: str

    def pose(self, shapes: Sequence[Shape]) -> None:
        """Show these shapes, which lie within the unit sphere, from now on."""
        ...

    def draw(self, camera: Camera) -> UInt8[np.ndarray, "H W 4"]:
        """Premultiplied sRGB with alpha."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


@dataclass(frozen=True)
class Trial:
    """What became of trying a platform; `error` is "" where it works."""

    platform: str
    device: str = ""
    error: str = ""


@functools.cache
def try_platform(platform: str) -> Trial:
    """Draw a small test picture in a child process, once for each platform."""
    loaded = os.environ.get("PYOPENGL_PLATFORM")
    if "OpenGL.GL" in sys.modules and loaded != platform:
        return Trial(platform, error=f"this process uses OpenGL on {loaded or 'its window system'} already")
    try:
        answer = run_child(PROBE, Message({"platform": platform}), _PATIENCE).values
    except ChildError as error:
        return Trial(platform, error=f"a process that tried it {error}")
    return Trial(platform, answer.get("device", ""), answer.get("error", ""))


def choose_renderer(wanted: str) -> tuple[str, tuple[str, ...]]:
    """The renderer to use, and notes for people. Raises UsageError where the wanted one does not work."""
    if wanted == "rays":
        return wanted, ()
    if wanted != "auto":
        trial = try_platform(wanted)
        if trial.error:
            raise UsageError(
                "--renderer",
                f"{wanted} does not work here ({trial.error})",
                "Choose auto or rays, or see: meshstyle doctor.",
            )
        return wanted, ()
    for platform in PLATFORMS:
        if not try_platform(platform).error:
            return platform, ()
    return "rays", ("There is no OpenGL here, so rays draw the pictures: slower, and much the same.",)


def make_renderer(
    name: str, scene: PreviewScene, shape: tuple[int, int], unlit: bool = False
) -> FrameRenderer:
    """A renderer that `choose_renderer` has named, for pictures of `shape` (height, width)."""
    if name == "rays":
        from .ray_renderer import RayRenderer

        return RayRenderer(scene, shape, unlit)
    from .gl_renderer import GlRenderer

    return GlRenderer(name, scene, shape, unlit)
