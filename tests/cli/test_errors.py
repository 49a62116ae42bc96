"""The error tree: what is caught by what, and what an error says."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from meshstyle.errors import (
    AssetError,
    InputError,
    MeshStyleError,
    OutputError,
    PictureError,
    UsageError,
    WeightsError,
)


def test_says_what_it_is_about_and_what_to_do() -> None:
    error = AssetError(Path("a/cow.glb"), "the JSON chunk is cut off", "Export it again.")
    assert str(error) == f"{Path('a/cow.glb')}: the JSON chunk is cut off. Export it again."
    assert (error.subject, error.cause, error.remedy) == (
        str(Path("a/cow.glb")),
        "the JSON chunk is cut off",
        "Export it again.",
    )


@pytest.mark.parametrize("kind", [AssetError, PictureError, WeightsError])
def test_unusable_files_are_input_errors(kind: type[MeshStyleError]) -> None:
    with pytest.raises(InputError, match=r"^x: y\. Z\.$"):
        raise kind("x", "y", "Z.")


@pytest.mark.parametrize("kind", [UsageError, OutputError])
def test_options_and_outputs_are_no_input_errors(kind: type[MeshStyleError]) -> None:
    assert issubclass(kind, MeshStyleError)
    assert not issubclass(kind, InputError)


def test_survives_pickling() -> None:
    """Child processes hand their errors back that way."""
    error = pickle.loads(pickle.dumps(PictureError("a.png", "it is cut off", "Save it again.")))
    assert type(error) is PictureError
    assert (error.subject, error.cause, error.remedy) == ("a.png", "it is cut off", "Save it again.")
