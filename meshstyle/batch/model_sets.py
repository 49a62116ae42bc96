"""Models that belong together: one size of strokes in the world, and one way from their colours to the painting's.

A view frames the whole model, so that a stroke of the same share of a view is larger in the world on a larger model.
In a set, the share is set so that strokes have the same size in the world on all of them: that which they would have
on a model of the set's median radius. Colour matching starts from the mean and covariance of all the set's colours,
each model counting alike, so that what had one colour before has one colour to begin with on all of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..style.color_statistics import Colours
from .model_summary import ModelSummary
from .options import AUTO, NO_SET

MOST = 3.0  # times the strokes' usual share of a view, or part of it: beyond, there is no style left to see


@dataclass(frozen=True)
class Member:
    """A model's place in its set.

    Attributes:
        name: of the set.
        scale: what the setting `style_scale` is multiplied by.
        colours: of the whole set.
        note: what people may want to know, or "".
    """

    name: str
    scale: float
    colours: Colours | None
    note: str


def find_sets(summaries: Mapping[str, ModelSummary], groups: Mapping[str, str]) -> dict[str, Member]:
    """The members of all sets of more than one model, by model.

    Args:
        summaries: what is known of the models.
        groups: by model: the set's name, `auto` or `none` (see `BatchOptions.group`).
    """
    known = {
        model: summary for model, summary in summaries.items() if summary.radius > 0 and summary.texels > 0
    }
    sets: dict[str, list[str]] = {}
    for model in known:
        if groups[model] not in (AUTO, NO_SET):
            sets.setdefault(groups[model], []).append(model)
    for name, models in _sharing({m: summary for m, summary in known.items() if groups[m] == AUTO}):
        sets[name] = models
    members: dict[str, Member] = {}
    for name, models in sets.items():
        if len(models) > 1:
            members |= _members(name, {model: known[model] for model in models})
    return members


def _sharing(summaries: Mapping[str, ModelSummary]) -> Iterable[tuple[str, list[str]]]:
    """Models that are tied by textures, directly or through others; called after the first texture."""
    leader: dict[str, str] = {}

    def find(model: str) -> str:
        while leader.setdefault(model, model) != model:
            model = leader[model]
        return model

    first: dict[str, str] = {}
    for model, summary in summaries.items():
        for texture in summary.textures:
            leader[find(model)] = find(first.setdefault(texture, model))
    sets: dict[str, list[str]] = {}
    for model, summary in summaries.items():
        if summary.textures:
            sets.setdefault(find(model), []).append(model)
    return [(f"texture {summaries[models[0]].textures[0][:8]}", models) for models in sets.values()]


def _members(name: str, summaries: Mapping[str, ModelSummary]) -> dict[str, Member]:
    reference = statistics.median(summary.radius for summary in summaries.values())
    colours = mixed([summary.colours for summary in summaries.values() if summary.colours is not None])
    members = {}
    for model, summary in summaries.items():
        wanted = reference / summary.radius
        scale = round(min(max(wanted, 1 / MOST), MOST), 4)
        note = ""
        if not 1 / MOST <= wanted <= MOST:
            size, times = ("smaller" if wanted > 1 else "larger"), f"{scale / wanted:.2g}"
            note = f"It is so much {size} than most of its set that its strokes are {times} times the size of theirs."
        members[model] = Member(name, scale, colours, note)
    return members


def mixed(parts: list[Colours]) -> Colours | None:
    """Statistics of several models' colours together, each counting alike."""
    if not parts:
        return None
    count, axes = len(parts), range(3)
    mean = [sum(part.mean[i] for part in parts) / count for i in axes]
    covariance = tuple(
        tuple(
            round(
                sum(p.covariance[i][j] + p.mean[i] * p.mean[j] for p in parts) / count - mean[i] * mean[j], 6
            )
            for j in axes
        )
        for i in axes
    )
    return Colours(tuple(round(x, 6) for x in mean), covariance)
