"""The objective of a view: the painting's manner at several sizes, the original's light and dark, the painting's range.

    L = mean over levels f of (β·style_f + α·content_f) + σ·structure + β·burnt

The same losses look at the view as it is, halved and quartered, each beside the painting at that size: strokes are in
the largest picture, patches and swirls in the smaller ones, and what a coarse scale has set up the next does not
forget. Content counts on the largest picture alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float

from ..config.layers import STYLE_LAYERS
from ..views.stroke_direction import QUARTERS, Turns
from ..views.view import View
from .area_objective import AreaTarget, area_targets, area_terms
from .areas import Area, Areas
from .background_features import BackgroundFeatures, ViewBackground
from .color_range import WEIGHT, burnt, lightest
from .local_style import GRAIN_LAYERS, LocalStyle
from .objective import ContentTarget, LossTerms, LossWeights, Objective, StyleTarget, fit_short_side
from .structure_loss import Enough, StructureTarget
from .vgg import VGG19

LEVELS = (1, 2, 4)
HOLD = 150.0  # in windows, on the mean squared difference of mean colours (sRGB²), beside a style loss of 1
PROTECTED = 2000.0  # weight of what the light and dark of protected places miss, beside a style's of 1000
GRAIN = 0.5  # in windows, weight of the layers that see grain, beside 1 for the others
_SMALLEST = 40  # pixels of a frame: smaller levels show nothing
_LEAST_SHARE = 1e-6  # of a turn: less is rounding
_UNITS = 8  # sides are multiples of so many pixels

Picture = Float[torch.Tensor, "1 3 H W"]


class _Level(NamedTuple):
    """A picture's size, as a share of the view's, and what it is compared with there, by which objective."""

    factor: int
    objective: Objective
    style: StyleTarget
    target: ContentTarget
    areas: tuple[AreaTarget, ...] | None = None  # each with a style of its own, which then counts instead

    def terms(self, picture: Picture) -> LossTerms:
        """The loss terms of the picture at this size."""
        if self.areas is None:
            return self.objective(picture, self.style, self.target)
        return area_terms(self.objective, picture, self.target, self.areas)


@dataclass(frozen=True, eq=False)
class ViewTarget:
    """What one view is held to.

    Attributes:
        levels: what its picture is held to as it is and made smaller.
        mask: the share of each pixel that counts.
        structure: None where it has no weight, and of windows.
        held: of windows, the colours that stay.
        limit: whiteness above which paint is burnt, by pixel where areas differ; None: the painting's.
        protected: what is kept beside that, more firmly, where the user wants it; None: nothing.
    """

    levels: tuple[_Level, ...]
    mask: Float[torch.Tensor, "1 1 H W"]
    structure: StructureTarget | None = None
    held: HeldColours | None = None
    limit: Float[torch.Tensor, "1 1 H W"] | None = None
    protected: StructureTarget | None = None


class HeldColours:
    """Mean colours of a picture's surface in squares of so many pixels, and what it costs to leave them."""

    def __init__(self, picture: Picture, mask: Float[torch.Tensor, "1 1 H W"], pixels: int) -> None:
        self._mask, self._pixels = mask, pixels
        self._share = F.avg_pool2d(mask, pixels)
        self._held = self._means(picture)

    def __call__(self, picture: Picture) -> Float[torch.Tensor, ""]:
        """The mean squared difference (sRGB²)."""
        apart = ((self._means(picture) - self._held) ** 2 * self._share).sum()
        return apart / (3 * self._share.sum()).clamp_min(1e-6)

    def _means(self, picture: Picture) -> Float[torch.Tensor, "1 3 h w"]:
        return F.avg_pool2d(picture * self._mask, self._pixels) / self._share.clamp_min(1e-6)


class StyleImagePyramid:
    """Gram matrices of a painting, turned by quarters, at whatever size they are asked for."""

    def __init__(self, painting: Picture) -> None:
        self._painting = painting
        self._fitted = (0, painting)  # to which size, and what it is there
        self._known: dict[tuple[tuple[str, ...], int, int], StyleTarget] = {}

    def target(self, objective: Objective, size: int, turns: Turns) -> StyleTarget:
        """Return the target of the painting with a short side of `size` pixels: the mean over its turns, by their
        shares."""
        shares = [(quarter, float(share)) for quarter, share in enumerate(turns) if share > _LEAST_SHARE]
        found = [(share, self._turned(objective, size, quarter).grams) for quarter, share in shares]
        layers = found[0][1]
        return StyleTarget(
            {n: torch.stack([share * grams[n] for share, grams in found]).sum(0) for n in layers}
        )

    def _turned(self, objective: Objective, size: int, quarter: int) -> StyleTarget:
        key = (tuple(objective.style_layers), size, quarter % QUARTERS)
        if key not in self._known:
            if self._fitted[0] != size:  # its turns are asked for one after the other
                self._fitted = size, fit_short_side(self._painting, size)
            turned = torch.rot90(self._fitted[1], -quarter, (2, 3)).contiguous()
            self._known[key] = objective.style_target(turned)
        return self._known[key]


class ViewObjective:
    """The losses of all views of one scale."""

    def __init__(
        self,
        network: VGG19,
        painting: Picture,
        weights: LossWeights,
        style_scale: float = 1.0,
        areas: Areas | None = None,
    ) -> None:
        """
        Args:
            painting: sRGB 0..1, on the network's device.
            weights: α, β, σ (see above), and the style's strength.
            style_scale: short side of the painting, as a share of what views frame.
            areas: where the surface has several styles, or paintings are mixed; None: the painting is everything.
        """
        self.areas = areas or Areas((Area((painting,), (1.0,), weights.strength),))
        if not self.areas.weights:
            weights = replace(weights, strength=self.areas.areas[0].strength)
        self._weights, self._style_scale = weights, style_scale
        plain = replace(weights, content=0.0, structure=0.0)
        # relu4_1 is already there for the style: content on it costs nothing more.
        self._main = Objective(network, replace(plain, content=weights.content), content_layers=("relu4_1",))
        self._plain = Objective(network, plain)
        self._window = Objective(
            network, plain, (f"{n}={GRAIN if n in GRAIN_LAYERS else 1}" for n in STYLE_LAYERS)
        )
        self._locals: dict[tuple[int, int], LocalStyle] = {}
        self._pyramids = {id(p): StyleImagePyramid(p) for area in self.areas.areas for p in area.paintings}
        self._limits = [max(map(lightest, area.paintings), default=1.0) for area in self.areas.areas]
        self._enough, self._firmly = Enough.at(weights.structure), Enough.at(PROTECTED)

    def ground(self, background: Float[torch.Tensor, "3"]) -> BackgroundFeatures | None:
        """Features of nothing but that colour, sRGB 0..1; None where they are of no use."""
        return self._main.ground(background)

    def target(
        self,
        view: View,
        original: Float[torch.Tensor, "V 3"],
        background: Float[torch.Tensor, "3"],
        ground: BackgroundFeatures | None,
        rows: Float[torch.Tensor, "V K"] | None = None,
    ) -> ViewTarget:
        """What a view is held to.

        Args:
            original: the colours of the texels it reads, as the model has them, sRGB 0..1.
            ground: features of the background, where they are of use.
            rows: `Areas.rows` at these texels.
        """
        shares, kept = self._maps(view, rows)
        seen = view.sample(original)
        lit, bare = view.pictures(seen, background)
        levels = []
        for factor in LEVELS:
            if factor > 1 and view.style_size // factor < _SMALLEST:
                break
            objective = self._plain if factor > 1 else self._main
            style = self._style(0, objective, view, factor)
            picture, mask = smaller(lit, factor), smaller(view.mask, factor)
            backdrop = None if ground is None else ViewBackground(ground, _reached(view.painted, factor))
            content = objective.content_target(picture, mask, backdrop=backdrop)
            areas = None
            if shares is not None:
                wanted = [
                    (
                        smaller(shares[None, n : n + 1], factor),
                        self._style(n, objective, view, factor),
                        self.areas.areas[n].strength,
                    )
                    for n in self.areas.painted
                ]
                areas = area_targets(objective, picture, content, wanted)
            levels.append(_Level(factor, objective, style, content, areas))
        structure = None
        if self._weights.structure > 0:
            structure = StructureTarget(bare, view.mask, view.style_size)
        protected = None if kept is None else StructureTarget(bare, kept, view.style_size)
        return ViewTarget(tuple(levels), view.mask, structure, None, self._limit(shares), protected)

    def _maps(
        self, view: View, rows: Float[torch.Tensor, "V K"] | None
    ) -> tuple[Float[torch.Tensor, "K H W"] | None, Float[torch.Tensor, "1 1 H W"] | None]:
        """In the view's pixels, the weights of the areas, where there are several, and what is protected."""
        if rows is None:
            return None, None
        maps, count = view.maps(rows), len(self.areas.weights)
        return maps[:count] if count else None, maps[None, count:] if maps.shape[0] > count else None

    def _style(self, area: int, objective: Objective, view: View, factor: int) -> StyleTarget:
        """What the paintings of an area ask for in a view made so much smaller."""
        of = self.areas.areas[area]
        size = max(round(view.style_size / factor * self._style_scale * of.scale), 16)
        found = [self._pyramids[id(p)].target(objective, size, view.turns).grams for p in of.paintings]
        if len(found) == 1:
            return StyleTarget(found[0])
        names = found[0] if found else ()
        return StyleTarget(
            {n: torch.stack([s * g[n] for s, g in zip(of.shares, found, strict=True)]).sum(0) for n in names}
        )

    def _limit(self, shares: Float[torch.Tensor, "K H W"] | None) -> Float[torch.Tensor, "1 1 H W"] | None:
        if shares is None:
            return None
        limits = torch.tensor(self._limits, device=shares.device)[:, None, None]
        return ((shares * limits).sum(0) / shares.sum(0).clamp_min(1e-6))[None, None].clamp_min(0.5)

    def window_target(
        self,
        view: View,
        paint: Float[torch.Tensor, "V 3"],
        background: Float[torch.Tensor, "3"],
        zoom: float,
        block: int,
        rows: Float[torch.Tensor, "V K"] | None = None,
    ) -> ViewTarget:
        """What a window is held to: strokes as where its colours come from in the painting, and, from where the whole
        views stand, to look as it does.

        Args:
            paint: of the texels it reads, as they are, sRGB 0..1.
            zoom: how much larger than the whole views it shows things.
            block: pixels along the side of the squares whose mean colours are held.
            rows: as `target` has them.
        """
        shares, kept = self._maps(view, rows)
        picture = view.render(paint, background)
        content = self._window.content_target(picture, view.mask)
        masks = {0: view.mask} if shares is None else {n: shares[None, n : n + 1] for n in self.areas.painted}
        wanted = [(mask, self._near(n, view, picture, mask), 1.0) for n, mask in masks.items()]
        areas = None if shares is None else area_targets(self._window, picture, content, wanted)
        levels = [_Level(1, self._window, wanted[0][1], content, areas)]
        if (factor := round(zoom)) > 1:
            small, mask = smaller(picture, factor), smaller(view.mask, factor)
            content = self._plain.content_target(small, mask)
            far = StyleTarget(self._plain.grams_of(small, content))
            levels.append(_Level(factor, self._plain, far, replace(content, grams=far.grams)))
        held = HeldColours(picture, view.mask, block)
        protected = None if kept is None else StructureTarget(picture, kept, view.style_size)
        return ViewTarget(tuple(levels), view.mask, None, held, self._limit(shares), protected)

    def _near(
        self, area: int, view: View, picture: Picture, mask: Float[torch.Tensor, "1 1 H W"]
    ) -> StyleTarget:
        """What the paintings of an area ask for where a window shows these colours."""
        of = self.areas.areas[area]
        short_side = max(round(view.style_size * self._style_scale * of.scale), 16)
        layers, found = tuple(self._window.style_layers), []
        for painting in of.paintings:
            key = (id(painting), short_side)
            if key not in self._locals:
                self._locals[key] = LocalStyle(self._window.network, painting, layers, short_side)
            found.append(self._locals[key].target(picture, mask).grams)
        if len(found) == 1:
            return StyleTarget(found[0])
        return StyleTarget(
            {n: torch.stack([s * g[n] for s, g in zip(of.shares, found, strict=True)]).sum(0) for n in layers}
        )

    def __call__(self, lit: Picture, bare: Picture, target: ViewTarget) -> LossTerms:
        """Compute the loss terms of a view's image, sRGB 0..1, under the headlight and without it."""
        found = [level.terms(smaller(lit, level.factor)) for level in target.levels]
        total = torch.stack([terms.total for terms in found]).mean()
        total = total + self._weights.style * WEIGHT * burnt(
            bare, target.mask, self._limits[0] if target.limit is None else target.limit
        )
        figures = found[0].figures.clone()
        figures[0] = torch.stack([terms.figures[0] for terms in found]).log().mean().exp()
        if target.held is not None:
            total = total + self._weights.style * HOLD * target.held(lit)
        if target.structure is not None:
            missing, figures[2] = target.structure(bare, self._enough)
            total = total + self._weights.structure * missing
        if target.protected is not None:
            missing, _ = target.protected(bare, self._firmly)
            total = total + PROTECTED * missing
        return LossTerms(total, figures)


def smaller(picture: Float[torch.Tensor, "1 C H W"], factor: int) -> Float[torch.Tensor, "1 C h w"]:
    """Means over so many pixels along each side; what is left over at the right and the bottom is squeezed in, so that
    sides are multiples of `_UNITS`."""
    if factor == 1:
        return picture
    shape = [max(length // factor // _UNITS, 2) * _UNITS for length in picture.shape[-2:]]
    return F.interpolate(picture, size=shape, mode="area")


def _reached(painted: Bool[np.ndarray, "H W"], factor: int) -> Bool[np.ndarray, "h w"]:
    """The pixels of the smaller picture that show any of these."""
    shares = smaller(torch.from_numpy(painted.astype(np.float32))[None, None], factor)
    return np.asarray(shares[0, 0].numpy() > 0)
