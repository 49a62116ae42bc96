"""What our OpenGL pictures need beyond pyrender: its passes, meshes and contexts, with our shaders and blending.

pyrender's own shader has no alpha mask, one UV mapping, lights no back faces and counts the emissive factor twice.
Importing this module imports OpenGL: `gl_renderer` does it when the platform has been chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyrender
from OpenGL import GL
from pyrender.constants import ProgramFlags, TexFlags
from pyrender.shader_program import ShaderProgramCache

from ...io.types import Wrap
from ..scene.materials import PbrMaterial, TextureReference
from ..scene.scene import PreviewScene, Shape
from .lighting import BOX_SHARPNESS, GROUND, HORIZON, LIGHTS, MIN_ROUGHNESS, SKY

_FLAGS = {
    "base": TexFlags.BASE_COLOR,
    "normal": TexFlags.NORMAL,
    "metal_rough": TexFlags.METALLIC_ROUGHNESS,
    "emissive": TexFlags.EMISSIVE,
    "occlusion": TexFlags.OCCLUSION,
}
_WRAPS = {Wrap.REPEAT: 10497, Wrap.MIRROR: 33648, Wrap.CLAMP: 33071}
_NEAREST = 9728


class Textures:
    """The images of a scene as pyrender's textures, one for each way of looking them up."""

    def __init__(self, scene: PreviewScene) -> None:
        self._scene = scene
        self._made: dict[tuple[Any, ...], pyrender.Texture] = {}

    def get(self, lookup: TextureReference) -> pyrender.Texture:
        key = (lookup.image, lookup.wrap, lookup.nearest)
        if key not in self._made:
            sampler = pyrender.Sampler(
                magFilter=_NEAREST if lookup.nearest else None,
                wrapS=_WRAPS[lookup.wrap[0]],
                wrapT=_WRAPS[lookup.wrap[1]],
            )
            # pyrender turns images over for UVs whose v points up; ours points down.
            pixels = self._scene.image(lookup.image)[::-1]
            self._made[key] = pyrender.Texture(sampler=sampler, source=pixels, source_channels="RGBA")
        return self._made[key]


class GlMaterial(pyrender.Material):
    """A material with its textures."""

    def __init__(self, pbr: PbrMaterial, textures: Textures) -> None:
        super().__init__(doubleSided=pbr.base.double_sided, alphaMode=pbr.base.alpha_mode)
        self.pbr = pbr
        self.by_name = {name: textures.get(lookup) for name, lookup in pbr.maps.items()}

    def _compute_transparency(self) -> bool:
        return self.pbr.base.alpha_mode == "BLEND"

    def _compute_tex_flags(self) -> int:
        flags = 0
        for name in self.by_name:
            flags |= _FLAGS[name]
        return flags

    def _compute_textures(self) -> set[pyrender.Texture]:
        return set(self.by_name.values())


def make_mesh(shape: Shape, material: GlMaterial, order: np.ndarray | None = None) -> pyrender.Mesh:
    """A shape, three vertices a triangle, as pyrender wants it; `order`: of its triangles."""

    def vertices(values: np.ndarray) -> np.ndarray:
        values = values if order is None else values[order]
        return values.reshape(-1, values.shape[-1]).astype(np.float32)

    uvs = [vertices(uv) for uv in shape.uvs]
    more = [*uvs[2:], *[np.zeros_like(uvs[0])] * (4 - len(uvs))] if len(uvs) > 2 else []
    primitive = pyrender.Primitive(
        positions=vertices(shape.corners),
        normals=vertices(shape.normals),
        tangents=np.concatenate(more, axis=1) if more else None,
        texcoord_0=uvs[0] if uvs else None,
        texcoord_1=uvs[1] if len(uvs) > 1 else None,
        color_0=None if shape.colours is None else vertices(shape.colours),
        material=material,
    )
    return pyrender.Mesh([primitive])


class Drawing(pyrender.Renderer):
    """pyrender's renderer with our shaders and lights. It draws premultiplied sRGB with alpha."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height)
        self._program_cache = ShaderProgramCache(str(Path(__file__).parent / "shaders"))
        self.studio = np.eye(3)
        self.unlit = False

    def _get_primitive_program(self, primitive: Any, flags: int, program_flags: int) -> Any:
        return super()._get_primitive_program(primitive, flags, ProgramFlags.USE_MATERIAL)

    def _bind_and_draw_primitive(self, primitive: Any, pose: np.ndarray, program: Any, flags: int) -> None:
        material = primitive.material
        program.set_uniform("M", pose)
        self._set_material(material, program)
        blended = material.pbr.base.alpha_mode == "BLEND"
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_ONE, GL.GL_ONE_MINUS_SRC_ALPHA if blended else GL.GL_ZERO)
        GL.glDepthMask(GL.GL_FALSE if blended else GL.GL_TRUE)
        GL.glPolygonMode(GL.GL_FRONT_AND_BACK, GL.GL_FILL)
        GL.glCullFace(GL.GL_BACK)
        (GL.glDisable if material.pbr.base.double_sided else GL.glEnable)(GL.GL_CULL_FACE)
        primitive._bind()
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, len(primitive.positions))
        primitive._unbind()

    def _bind_lighting(self, scene: Any, program: Any, node: Any, flags: int) -> None:
        """Our lights, in our order; pyrender keeps a scene's lights as a set."""
        for i, light in enumerate(LIGHTS):
            name = f"directional_lights[{i}]"
            program.set_uniform(f"{name}.color", np.array(light.colour))
            program.set_uniform(f"{name}.intensity", float(light.intensity))
            program.set_uniform(f"{name}.direction", -light.unit @ self.studio)
        program.set_uniform("n_directional_lights", len(LIGHTS))
        program.set_uniform("studio", self.studio)
        for name, colour in (("sky", SKY), ("horizon", HORIZON), ("ground", GROUND)):
            program.set_uniform(name, np.array(colour))
        program.set_uniform("glow", np.array([light.glow for light in LIGHTS] + [0.0]))
        program.set_uniform("box_sharpness", BOX_SHARPNESS)
        program.set_uniform("min_roughness", MIN_ROUGHNESS)

    def _set_material(self, material: GlMaterial, program: Any) -> None:
        pbr = material.pbr
        base = pbr.base
        cutoff = {"OPAQUE": 0.0, "MASK": base.alpha_cutoff, "BLEND": -1.0}[base.alpha_mode]
        program.set_uniform("base_factor", np.array(base.factor))
        program.set_uniform("metallic_factor", float(pbr.metallic))
        program.set_uniform("roughness_factor", float(pbr.roughness))
        program.set_uniform("emissive_factor", np.array(pbr.emissive))
        program.set_uniform("normal_scale", float(pbr.normal_scale))
        program.set_uniform("occlusion_strength", float(pbr.occlusion_strength))
        program.set_uniform("alpha_cutoff", float(cutoff))
        program.set_uniform("unlit", int(self.unlit or pbr.unlit))
        for name, texture in material.by_name.items():
            self._bind_texture(texture, f"{name}_map", program)
            program.set_uniform(f"{name}_uv", pbr.maps[name].mapping)

    def _read_main_framebuffer(self, scene: Any, flags: int) -> tuple[np.ndarray, None]:
        """The picture (H, W, 4) without its depth, which takes longer to read than to draw."""
        width, height = self._main_fb_dims
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._main_fb_ms)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._main_fb)
        everything = (0, 0, width, height)
        GL.glBlitFramebuffer(*everything, *everything, GL.GL_COLOR_BUFFER_BIT, GL.GL_NEAREST)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._main_fb)
        data = GL.glReadPixels(*everything, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        error = GL.glGetError()
        if error:
            raise RuntimeError(f"OpenGL error {error}")
        return np.frombuffer(data, np.uint8).reshape(height, width, 4)[::-1], None
