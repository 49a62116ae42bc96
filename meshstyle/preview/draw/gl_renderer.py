"""The OpenGL renderer: pyrender on EGL or OSMesa, without a display."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ...views.cameras import Camera
from ..scene.scene import PreviewScene, Shape
from .lighting import studio_axes


class GlRenderer:
    """Draws shapes that lie within the unit sphere around the origin. Satisfies `choose.FrameRenderer`.

    Attributes:
        name: the platform.
        device: what OpenGL says it draws with.
    """

    def __init__(
        self, platform: str, scene: PreviewScene, shape: tuple[int, int], unlit: bool = False
    ) -> None:
        """Make a context of `platform` ("egl" or "osmesa"). Whatever OpenGL raises leaves as it is."""
        pyrender = _load(platform)
        from OpenGL import GL

        from .gl_passes import Drawing, GlMaterial, Textures, make_mesh

        self.name, self._make_mesh, self._shape = platform, make_mesh, shape
        height, width = shape
        self._target = pyrender.OffscreenRenderer(width, height)
        self._drawing = self._target._renderer = Drawing(width, height)
        self._drawing.unlit = unlit
        self.device = GL.glGetString(GL.GL_RENDERER).decode("utf-8", "replace")
        # Into a framebuffer of our own, which has alpha and smooth edges: pyrender itself would not on OSMesa.
        self._flags = pyrender.RenderFlags.RGBA | pyrender.RenderFlags.OFFSCREEN
        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0], ambient_light=[0.0, 0.0, 0.0])
        self._camera = pyrender.IntrinsicsCamera(1.0, 1.0, width / 2, height / 2)
        self._eye = self._scene.add(self._camera)
        self._scene.main_camera_node = self._eye
        textures = Textures(scene)
        self._materials = [GlMaterial(shape_.material, textures) for shape_ in scene.shapes]
        self._shapes: Sequence[Shape] = ()
        self._nodes: list[Any] = []

    def pose(self, shapes: Sequence[Shape]) -> None:
        """Show these shapes from now on; as many as the scene has, in its order."""
        for node in self._nodes:
            self._scene.remove_node(node)
        self._shapes = shapes
        self._nodes = [
            self._scene.add(self._make_mesh(shape, material))
            for shape, material in zip(shapes, self._materials, strict=True)
        ]

    def draw(self, camera: Camera) -> UInt8[np.ndarray, "H W 4"]:
        """Premultiplied sRGB with alpha."""
        self._sort_blended(camera)
        self._camera.fx = self._camera.fy = 1 / camera.pitch
        distance = float(np.linalg.norm(camera.eye))
        self._camera.znear, self._camera.zfar = max(distance - 2.0, distance / 100), distance + 2.0
        right, up, forward = camera.axes
        self._scene.set_pose(self._eye, _pose(right, up, -forward, camera.eye))
        self._drawing.studio = studio_axes(camera)
        platform = self._target._platform
        platform.make_current()
        picture, _ = self._drawing.render(self._scene, self._flags)
        platform.make_uncurrent()
        return picture

    def close(self) -> None:
        """Give everything back to OpenGL."""
        with contextlib.suppress(Exception):  # a context that is gone already has nothing left to free
            self._target.delete()

    def _sort_blended(self, camera: Camera) -> None:
        """Blended triangles must be drawn from far to near."""
        for i, shape in enumerate(self._shapes):
            if shape.material.base.alpha_mode == "BLEND":
                depth = (shape.corners.mean(1) - camera.eye) @ camera.axes[2]
                self._scene.remove_node(self._nodes[i])
                mesh = self._make_mesh(shape, self._materials[i], np.argsort(-depth, kind="stable"))
                self._nodes[i] = self._scene.add(mesh)


def _load(platform: str) -> Any:
    """Import pyrender for a platform. PyOpenGL keeps the platform it was first imported with."""
    os.environ["PYOPENGL_PLATFORM"] = platform
    import OpenGL

    if platform == "egl":
        from OpenGL import EGL  # noqa: F401  # it cannot be imported without error checking
    OpenGL.ERROR_CHECKING = False
    import pyrender

    return pyrender


def _pose(x: np.ndarray, y: np.ndarray, z: np.ndarray, place: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = x, y, z, place
    return pose
