"""Tries OpenGL, in a process of its own: drivers crash.

A request names the `platform` (egl, osmesa). A white triangle is drawn, and the answer has `device`, or `error`.
"""

from __future__ import annotations

import ctypes.util
from typing import Any

import numpy as np

from ...io.types import Material
from ...system.child_process import Message, serve
from ...views.cameras import Camera
from ..scene.materials import PbrMaterial
from ..scene.scene import PreviewScene, Shape

SIZE = 16
# What each platform needs: one of each group.
_LIBRARIES = {"egl": (("EGL",), ("OpenGL", "GL")), "osmesa": (("OSMesa",),)}


class ProbeScene(PreviewScene):
    """A large white triangle before the camera of `draw_test`; it has no file."""

    def __init__(self) -> None:
        corners = np.array([[[-9.0, -9.0, 0.0], [9.0, -9.0, 0.0], [0.0, 9.0, 0.0]]])
        normals = np.broadcast_to([0.0, 0.0, 1.0], (1, 3, 3)).copy()
        material = PbrMaterial(Material("white"))
        self.shapes = (Shape(material, corners, normals, np.zeros((0, 1, 3, 2)), None),)


def draw_test(renderer: Any, scene: PreviewScene) -> bool:
    """Whether a renderer of `SIZE`² pixels draws the triangle white. Closes it."""
    camera = Camera(np.array([0.0, 0.0, 3.0]), np.diag([1.0, 1.0, -1.0]), 1 / SIZE)
    try:
        renderer.pose(scene.shapes)
        picture = renderer.draw(camera)
    finally:
        renderer.close()
    return bool((picture[SIZE // 2, SIZE // 2] == 255).all())


def probe(platform: str) -> dict[str, str]:
    """What became of trying."""
    from .gl_renderer import GlRenderer

    try:
        scene = ProbeScene()
        renderer = GlRenderer(platform, scene, (SIZE, SIZE), unlit=True)
        device = renderer.device
        if not draw_test(renderer, scene):
            return {"error": f"{device} draws wrong pictures"}
    except Exception as error:  # whatever a driver or its bindings come up with
        for names in _LIBRARIES[platform]:
            if not any(ctypes.util.find_library(name) for name in names):
                return {"error": f"the library lib{names[0]} is not installed"}
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:200]}
    return {"device": device}


if __name__ == "__main__":
    serve(lambda request: Message(probe(request.values["platform"])))
