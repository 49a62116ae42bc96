"""What a close-up is asked for: the painting's manner at its own scale; from afar, to look as it did."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float

from ..compiled.load import Program
from ..views.view import AMBIENT, HEADLIGHT, View
from .adam import Adam
from .descent import BETAS
from .local_style import GRAIN_LAYERS
from .losses import masked_gram, shrink_mask, style_loss
from .objective import Grams, Objective, Picture, layer_shape

HOLD = 300.0  # on the mean squared difference from afar (sRGB²), beside a style loss of 1
AFAR = 1.0  # on the change of the Gram matrices of the picture seen from afar, beside a style loss of 1
GRAIN = 0.5  # weight of the layers that see grain, beside 1 for the others
RATE = 0.06  # of Adam; falls linearly to a tenth
RAMP = 0.12  # of a window's side: how far from its border paint may change in full
_LEAST = 32  # pixels along the side of what is seen from afar
STEEP = (0.15, 0.4)  # cosines of the viewing angle between which paint begins to change


class CloseUpProblem:
    """The texels of one close-up, beginning with what a coarser scale came to.

    Attributes:
        values: (V, 3) the paint of the texels that the view reads, sRGB 0..1; changed in place.
        picture: what the view shows before the first step; `mask`: the share of each pixel that is surface.
    """

    def __init__(
        self,
        view: View,
        values: Float[torch.Tensor, "V 3"],
        objective: Objective,
        background: Float[torch.Tensor, "3"],
        block: int,
        zoom: float,
        smooth: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """`block`: pixels along the side of the squares whose mean colours are held; `zoom`: beside the whole views.
        `smooth`: τ and κ of smoothness from pixel to pixel (see `smoothness`), beside a style loss of 1."""
        self.values, self.picture, self.mask = values, view.render(values, background), view.mask
        self._smooth = smooth
        self._view, self._objective, self._background, self._block = view, objective, background, block
        height, width = view.shape
        self._far = (max(_LEAST, round(height / zoom)), max(_LEAST, round(width / zoom)))
        self._masks = self._layer_masks(view.mask)
        self._far_masks = self._layer_masks(F.adaptive_avg_pool2d(view.mask, self._far))
        self._share = F.avg_pool2d(view.mask, block)
        self._held = self._blocks(self.picture)
        with torch.no_grad():
            self._far_grams = self._from_afar(self.picture)
        self._freedom = freedom(view)

    @torch.no_grad()
    def grams(self) -> Grams:
        """Of the surface, before the first step."""
        return self._grams(self.picture, self._masks)

    def step(self, adam: Adam, target: Grams, done: float) -> float:
        """One step of Adam over `values`; `done`: the share of the steps that lie behind. Returns the loss.

        Paint near the window's border changes less and less towards it, so that it runs on into that around it.
        """
        leaf = self.values.clone().requires_grad_(True)
        loss = self.loss(leaf, target)
        loss.backward()
        assert leaf.grad is not None
        rows = torch.arange(len(leaf), device=leaf.device)
        before = self.values.clone()
        adam.step(rows, leaf.grad, RATE * (1 - 0.9 * done))
        self.values.copy_(before.lerp_(self.values, self._freedom))
        return float(loss.detach())

    def adam(self, program: Program | None = None) -> Adam:
        """`program`: see `Adam`."""
        return Adam(self.values, BETAS, program)

    def loss(self, values: Float[torch.Tensor, "V 3"], target: Grams) -> Float[torch.Tensor, ""]:
        """Style by the target's Gram matrices, what it costs that blocks have left their colours, and smoothness."""
        picture = self._view.render(values, self._background)
        grams, afar = self._grams(picture, self._masks), self._from_afar(picture)
        style = [
            share
            * (
                (GRAIN if name in GRAIN_LAYERS else 1.0) * style_loss(grams[name], target[name])
                + AFAR * style_loss(afar[name], self._far_grams[name])
            )
            for name, share in self._objective.style_layers.items()
        ]
        apart = ((self._blocks(picture) - self._held) ** 2 * self._share).sum()
        held = HOLD * apart / (3 * self._share.sum()).clamp_min(1e-6)
        return torch.stack(style).sum() + held + self._roughness(picture)

    def _roughness(self, picture: Picture) -> Float[torch.Tensor, ""]:
        """τ times the mean of ‖d‖² + κ‖d − d̄‖² over steps d between neighbouring pixels of the surface."""
        tau, kappa = self._smooth
        total = count = picture.new_zeros(())
        for axis in (2, 3):
            step, both = picture.diff(dim=axis), torch.minimum(*_ends(self.mask, axis))
            colour = step - step.mean(1, keepdim=True)
            total = total + ((step.square() + kappa * colour.square()) * both).sum()
            count = count + both.sum()
        return tau * total / count.clamp_min(1e-6)

    def _layer_masks(self, mask: Float[torch.Tensor, "1 1 h w"]) -> dict[str, torch.Tensor]:
        height, width = mask.shape[-2:]
        layers = self._objective.style_layers
        return {name: shrink_mask(mask, *layer_shape(height, width, name)) for name in layers}

    def _grams(self, picture: Picture, masks: dict[str, torch.Tensor]) -> Grams:
        found = self._objective.network.features(picture, self._objective.style_layers)
        return {name: masked_gram(found[name], mask) for name, mask in masks.items()}

    def _from_afar(self, picture: Picture) -> Grams:
        """As a whole view would see it."""
        return self._grams(F.adaptive_avg_pool2d(picture, self._far), self._far_masks)

    def _blocks(self, picture: Picture) -> Float[torch.Tensor, "1 3 h w"]:
        """Mean colours of the surface in blocks."""
        return F.avg_pool2d(picture * self._view.mask, self._block) / self._share.clamp_min(1e-6)


def _ends(mask: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each step along an axis."""
    length = mask.shape[axis] - 1
    return mask.narrow(axis, 0, length), mask.narrow(axis, 1, length)


def freedom(view: View) -> Float[torch.Tensor, "V 1"]:
    """How freely each texel may change, 0..1: not at all on the window's border or where it is seen too steeply."""
    height, width = view.shape
    device = view.pixels.device
    inwards = _ramp(height, device)[:, None] * _ramp(width, device)
    cosine = (view.shade - AMBIENT) / HEADLIGHT
    facing = _smooth((cosine - STEEP[0]) / (STEEP[1] - STEEP[0]))
    free = inwards.flatten()[view.pixels][:, None] * facing
    used = view.spread(view.pixel_coverage)
    return view.spread(view.pixel_coverage * free) / used.clamp_min(1e-6)


def _ramp(length: int, device: torch.device) -> Float[torch.Tensor, "L"]:
    """From 0 at both ends to 1."""
    inside = torch.arange(length, device=device) + 0.5
    return _smooth(torch.minimum(inside, length - inside) / (RAMP * length))


def _smooth(x: torch.Tensor) -> torch.Tensor:
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)
