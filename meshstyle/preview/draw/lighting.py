"""The studio: three lights, a sky, something for metal to mirror, and how a surface answers to them.

Written twice: here for rays, in `shaders/mesh.frag` for OpenGL. Numbers stand only here. Directions are in the
studio's space, which turns with the camera: x right, y the world's up, z towards the viewer, all horizontal but y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from ...srgb import to_srgb
from ...views.cameras import Camera

MIN_ROUGHNESS = 0.06  # smoother surfaces would show the lights as single pixels


@dataclass(frozen=True)
class Light:
    """A light far away.

    Attributes:
        direction: towards it; any length.
        colour: linear RGB.
        intensity: radiance × solid angle, divided by π: what a white surface that faces it shows.
        glow: how bright its soft box is in mirrors.
    """

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    intensity: float
    glow: float

    @property
    def unit(self) -> np.ndarray:
        direction = np.array(self.direction)
        return direction / np.linalg.norm(direction)


KEY = Light((-0.60, 0.75, 0.70), (1.0, 0.98, 0.94), 0.80, 1.6)
FILL = Light((0.90, 0.20, 0.60), (0.92, 0.96, 1.0), 0.20, 0.5)
RIM = Light((0.35, 0.70, -0.90), (1.0, 1.0, 1.0), 0.55, 0.9)
LIGHTS = (KEY, FILL, RIM)
SKY, HORIZON, GROUND = (0.42, 0.43, 0.45), (0.38, 0.38, 0.38), (0.17, 0.16, 0.15)
BOX_SHARPNESS = 10.0  # of the soft boxes' edges


def studio_axes(camera: Camera) -> np.ndarray:
    """Rows right, up and towards the viewer, in world space."""
    right = camera.axes[0]
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([right, up, np.cross(right, up)])


@dataclass(frozen=True, eq=False)
class Surfel:
    """What is seen at N points.

    Attributes:
        albedo: base colour, linear.
        normal, towards: unit vectors in the studio's space; `towards` the eye.
        occlusion: of light from all around, 1 where nothing is hidden.
        emissive: linear.
    """

    albedo: Float32[np.ndarray, "N 3"]
    metallic: Float32[np.ndarray, "N"]
    roughness: Float32[np.ndarray, "N"]
    normal: Float32[np.ndarray, "N 3"]
    towards: Float32[np.ndarray, "N 3"]
    occlusion: Float32[np.ndarray, "N"]
    emissive: Float32[np.ndarray, "N 3"]


def shade(surfel: Surfel) -> Float32[np.ndarray, "N 3"]:
    """sRGB 0..1 of lit points: glTF 2.0, appendix B, with light from all around added."""
    rough = np.clip(surfel.roughness, MIN_ROUGHNESS, 1.0)
    metal = np.clip(surfel.metallic, 0.0, 1.0)[:, None]
    f0 = 0.04 + (surfel.albedo - 0.04) * metal
    diffuse = surfel.albedo * (1 - metal)
    n, v = surfel.normal, surfel.towards
    nv = np.clip(_dot(n, v), 1e-3, 1.0)
    around = diffuse * _irradiance(n)
    mirrored = 2 * _dot(n, v)[:, None] * n - v
    around += _environment(mirrored, rough) * _environment_brdf(f0, rough, nv)
    total = around * surfel.occlusion[:, None] + surfel.emissive
    for light in LIGHTS:
        total += _lit(light, n, v, nv, rough, f0, diffuse)
    return to_srgb(tone(total))


def tone(colour: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "N 3"]:
    """Khronos PBR Neutral: base colours as they are, highlights compressed (ModelViewer's tone mapping, 2024).

    Its offset, which takes away the Fresnel reflection that a renderer adds, is left out.
    """
    start, desaturation = 0.76, 0.15
    peak = colour.max(1, keepdims=True)
    room = 1 - start
    squeezed = 1 - room * room / (np.maximum(peak, start) + room - start)
    grey = 1 - 1 / (desaturation * (peak - squeezed) + 1)
    scaled = colour * (squeezed / np.maximum(peak, 1e-6))
    return np.where(peak < start, colour, scaled * (1 - grey) + squeezed * grey)


def _lit(
    light: Light,
    n: np.ndarray,
    v: np.ndarray,
    nv: np.ndarray,
    rough: np.ndarray,
    f0: np.ndarray,
    diffuse: np.ndarray,
) -> Float32[np.ndarray, "N 3"]:
    """One light's share: GGX with the height-correlated Smith term and Schlick's Fresnel."""
    direction = light.unit.astype(np.float32)
    half = v + direction
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    nl = np.clip(n @ direction, 0.0, 1.0)
    nh, vh = np.clip(_dot(n, half), 0.0, 1.0), np.clip(_dot(v, half), 0.0, 1.0)
    a2 = rough**4
    spread = a2 / (nh * nh * (a2 - 1) + 1) ** 2  # D · π; the light's 1 / π is in its intensity
    masking = 0.5 / (nl * np.sqrt(nv * nv * (1 - a2) + a2) + nv * np.sqrt(nl * nl * (1 - a2) + a2) + 1e-5)
    fresnel = f0 + (1 - f0) * ((1 - vh) ** 5)[:, None]
    answer = (1 - fresnel) * diffuse + fresnel * (spread * masking)[:, None]
    return answer * nl[:, None] * (np.array(light.colour, np.float32) * np.float32(light.intensity))


def _irradiance(n: np.ndarray) -> Float32[np.ndarray, "N 3"]:
    """Light from all around on a surface that faces `n`, over π."""
    share = (0.5 + 0.5 * n[:, 1])[:, None]
    return np.array(GROUND, np.float32) * (1 - share) + np.array(SKY, np.float32) * share


def _environment(direction: np.ndarray, rough: np.ndarray) -> Float32[np.ndarray, "N 3"]:
    """What a mirror of this roughness shows: a sky above a floor, and the lights' soft boxes."""
    height = direction[:, 1]
    width = (0.15 + 0.85 * rough).astype(np.float32)
    low, high = _smoothstep(-width, width, height)[:, None], _smoothstep(0, 1 + 0 * width, height)[:, None]
    colour = np.array(GROUND, np.float32) * (1 - low) + np.array(HORIZON, np.float32) * low
    colour = colour * (1 - high) + np.array(SKY, np.float32) * high
    sharpness = BOX_SHARPNESS * (1 - rough) ** 2 + 1
    for light in LIGHTS:
        facing = np.clip(direction @ light.unit.astype(np.float32), 0.0, 1.0)
        glow = light.glow * (1 - rough) * facing**sharpness
        colour = colour + np.array(light.colour, np.float32) * glow[:, None]
    return colour


def _environment_brdf(f0: np.ndarray, rough: np.ndarray, nv: np.ndarray) -> Float32[np.ndarray, "N 3"]:
    """Karis, "Physically Based Shading on Mobile", 2014: a fit to the split-sum approximation."""
    c0 = np.array([-1.0, -0.0275, -0.572, 0.022], np.float32)
    c1 = np.array([1.0, 0.0425, 1.04, -0.04], np.float32)
    r = rough[:, None] * c0 + c1  # (N, 4)
    a004 = np.minimum(r[:, 0] ** 2, 2.0 ** (-9.28 * nv)) * r[:, 0] + r[:, 1]
    scale, bias = -1.04 * a004 + r[:, 2], 1.04 * a004 + r[:, 3]
    return f0 * scale[:, None] + bias[:, None]


def _smoothstep(low: np.ndarray | float, high: np.ndarray, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nc,nc->n", a, b)
