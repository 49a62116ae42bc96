"""What a run says of its own result."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshstyle.evaluation
import meshstyle.viewing
from meshstyle.config.model import Scale, Settings
from meshstyle.evaluation import evaluate
from meshstyle.optimize.clock import views_to_measure
from meshstyle.stylize_model import stylize

SPOT = Path(__file__).parents[2] / "assets" / "models" / "spot" / "spot.obj"


@pytest.mark.measured
def test_a_run_tells_what_evaluate_tells_of_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the same views the written file is judged as the run judged its paint: within what 8 bits make of it."""
    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 48),)))
    monkeypatch.setattr("meshstyle.optimize.clock.STEPS_A_LOOK", 12)
    monkeypatch.setattr(meshstyle.viewing, "SIZE", 128)
    monkeypatch.setattr(meshstyle.evaluation, "VIEWS", 4)
    monkeypatch.setattr(meshstyle.evaluation, "ORBIT_FRAMES", 2)
    settings = Settings(views=6, texture_size=128)
    result = stylize(SPOT, "great-wave", tmp_path / "out.glb", settings)
    told = evaluate(tmp_path / "out.glb", SPOT, "great-wave")
    assert result.judged
    assert result.style_loss == pytest.approx(told.style, rel=0.02)
    assert result.structure == pytest.approx(told.structure, abs=0.01)


def test_short_runs_are_looked_at_from_fewer_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshstyle.optimize.clock.MEASURED_VIEWS", 4)
    assert [views_to_measure(steps) for steps in (1, 40, 130, 1000)] == [0, 0, 2, 4]
