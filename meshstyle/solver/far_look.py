"""The whole views once more, after close-ups: from afar, detail must not cost what was won there.

Mipmaps let some of it through, and its means are not quite what they were. So each pixel keeps what it shows beyond
the whole views' paint W, R = F(canvas) − S·W with F as renderers filter; W goes on from where it was, S·W + R being the
picture; and the canvas gets what W has changed, enlarged. Views are made one at a time, when they are looked at: this
needs no more memory than close-ups do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float

from ..bake.upsample import add_upsampled
from ..compiled.load import Program
from ..views.canvas import Canvas
from ..views.far_sampling import FarPaint
from ..views.looks import Look, whole_views
from ..views.products import scatter
from ..views.sampling import Lookup, Texels
from ..views.scales import RAYS
from ..views.tracing import Hits, Tracer
from ..views.view import View
from .descent import Slope
from .objective import Objective
from .rung import Rung, target_of

if TYPE_CHECKING:
    from .texture_solver import TextureProblem


RATE = 0.5  # of the whole views' learning rate: all of it would speckle the detail


@dataclass(frozen=True, eq=False)
class FarViews:
    """The whole views, to be made one by one.

    Attributes:
        looks: each sees something.
        rung: what holds for all of them.
        program: compiled kernels, as `Lookup` takes them.
    """

    tracer: Tracer
    looks: Sequence[Look]
    rung: Rung
    objective: Objective
    program: Program | None

    def look(self, part: int) -> tuple[Hits, View]:
        hits = self.looks[part].trace(self.tracer, RAYS)
        assert hits is not None
        return hits, View(
            Lookup(hits, self.tracer, self.rung.texels, self.program), self.rung.original.device
        )


class FarProblem:
    """The whole views' texels, before what the canvas shows beyond them (see `descent.Problem`)."""

    def __init__(self, problem: TextureProblem, canvas: Canvas, views: FarViews) -> None:
        """`problem`: of the whole views' scale, without views; its values are changed."""
        self.values, self.parts, self.even = problem.values, len(views.looks), whole_views(views.looks)
        self._problem, self._views = problem, views
        self._before = problem.values.clone()
        self._seen = FarPaint(canvas, views.tracer)

    def slope(self, part: int) -> Slope:
        """Of one view."""
        hits, view = self._views.look(part)
        rung = self._views.rung
        target = target_of(view, rung.original, rung.background, self._views.objective, rung.ground)
        beyond = torch.from_numpy(self._seen(hits)).to(self.values.device)
        beyond = beyond - view.sample(self._before[view.texels])
        found = self._problem.slope_of(view, target, beyond)
        self._problem.smoothness.forget()  # it would keep what it has looked up for each view
        return found


def give_change(
    canvas: Canvas, texels: Texels, before: Float[torch.Tensor, "T 3"], after: Float[torch.Tensor, "T 3"]
) -> None:
    """Add to the canvas what the whole views' paint has changed by, but for what differs from texel to texel: enlarged
    it would be a grid of dots."""
    changes = scatter(texels, (after - before).cpu())
    for image, layout, change in zip(canvas.images, texels.layouts, changes, strict=True):
        pixels = blurred(change, torch.from_numpy(layout.covered)).permute(1, 2, 0).contiguous().numpy()
        add_upsampled(image, pixels, layout.covered, layout.wrap)


def blurred(
    image: Float[torch.Tensor, "3 h w"], covered: Bool[torch.Tensor, "h w"]
) -> Float[torch.Tensor, "3 h w"]:
    """Binomial means over 3×3 covered texels."""
    weight = covered.to(image.dtype)[None]
    # Means over 2×2 twice. A convolution would take sixteen times the image's memory for its own layout.
    total, count = (F.avg_pool2d(F.avg_pool2d(x, 2, 1, padding=1), 2, 1) for x in (image * weight, weight))
    return total / count.clamp_min(1e-6)
