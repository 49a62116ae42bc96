"""Where results go, decided and tried before any work is done."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from .errors import OutputError, UsageError
from .io.known_folders import remember_folders

# Kinds of model that each kind can be written as.
CAN_BECOME = {
    ".glb": (".glb", ".gltf", ".vrm", ".obj"),
    ".gltf": (".gltf", ".glb", ".vrm", ".obj"),
    ".vrm": (".vrm", ".glb", ".gltf", ".obj"),
    ".obj": (".obj", ".glb", ".gltf"),
    ".ply": (".glb", ".gltf", ".obj"),
    ".stl": (".glb", ".gltf", ".obj"),
    ".off": (".glb", ".gltf", ".obj"),
}
PICTURE_KINDS = (".png", ".jpg", ".jpeg", ".webp")
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


def default_output(model: Path) -> Path:
    """`NAME.stylized.SUFFIX` beside the model; .glb where the model's own kind cannot hold the paint."""
    suffix = model.suffix
    kinds = CAN_BECOME.get(suffix.lower(), (suffix.lower(),))
    return model.with_name(f"{model.stem}.stylized{suffix if suffix.lower() in kinds else kinds[0]}")


def choose_output(model: Path, output: str | Path | None) -> Path:
    """Where the result goes.

    None means `default_output`; a folder, or a name that ends like one, takes the file under its usual name.
    Models of unknown kinds are left to their reader to refuse.

    Raises UsageError for a name whose suffix is no kind this model can become, and for the model itself; OutputError
    for a name that no file can have.
    """
    target = _place(output, default_output(model))
    kinds = CAN_BECOME.get(model.suffix.lower())
    if kinds is not None and target.suffix.lower() not in kinds:
        suffix = target.suffix.lower()
        if not suffix:
            cause = "its name has no suffix to say what kind of file it should be"
        elif any(suffix in others for others in CAN_BECOME.values()):
            cause = f"a {model.suffix.lower()} model cannot be written as {suffix}"
        else:
            cause = f"{suffix} is not a kind of model that can be written"
        raise UsageError(target, cause, f"End the name with {' or '.join(kinds)}, or with / for a folder.")
    _refuse_same(target, model)
    return target


def choose_picture_output(photo: Path, output: str | Path | None) -> Path:
    """Where a painted picture goes: as `choose_output`, with `NAME.stylized.png` as its usual name."""
    target = _place(output, photo.with_name(f"{photo.stem}.stylized.png"))
    if target.suffix.lower() not in PICTURE_KINDS:
        cause = f"'{target.suffix}' is not a kind of picture that can be written"
        remedy = f"End the name with {', '.join(PICTURE_KINDS)}, or with / for a folder."
        raise UsageError(target, cause, remedy)
    _refuse_same(target, photo)
    return target


def _place(output: str | Path | None, usual: Path) -> Path:
    """The output, in a folder under its usual name."""
    if output is None:
        return usual
    if not str(output):
        raise UsageError("-o", "the name is empty", "Give a name, or leave -o out.")
    target = Path(output)
    return target / usual.name if _is_folder(target) or str(output).endswith(_SEPARATORS) else target


def _refuse_same(target: Path, source: Path) -> None:
    if _is_same(target, source):
        raise UsageError(target, "the output is the input", "Give another name with -o.")


def _is_folder(target: Path) -> bool:
    try:
        return target.is_dir()
    except OSError as error:  # too long a name, say
        cause = f"it cannot be written to ({error.strerror or error})"
        raise OutputError(target, cause, "Give another name with -o.") from error


def _is_same(target: Path, model: Path) -> bool:
    with contextlib.suppress(OSError):
        return target.samefile(model)
    return os.path.realpath(target) == os.path.realpath(model)


def replacing(output: Path, overwrite: bool = True) -> tuple[str, ...]:
    """A note where the output is there already, and will be replaced. Raises OutputError where it must not be."""
    if not os.path.lexists(output):
        return ()
    if not overwrite:
        remedy = "Give another name with -o, or leave --no-clobber out."
        raise OutputError(output, "it is there already", remedy)
    return (f"{output.name} was there already: it is replaced",)


def check_writable(output: Path) -> None:
    """Fail before the work, not after it. Leaves nothing behind. Raises OutputError."""
    made: list[Path] = []
    try:
        for folder in reversed([output.parent, *output.parent.parents]):
            if not folder.is_dir():
                folder.mkdir()
                made.append(folder)
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=".meshstyle-")
        os.close(handle)
        os.unlink(name)
        remember_folders(output.parent, made)
    except OSError as error:
        cause = f"its folder cannot be written to ({error.strerror or error})"
        raise OutputError(output, cause, "Choose a folder that you may write to.") from error
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
