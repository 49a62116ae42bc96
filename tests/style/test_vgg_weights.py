"""VGG-19's weights: one network, whichever container its numbers came from."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import safetensors.torch
import torch

from meshstyle.config.layers import BLOCKS, LAYER_NAMES, LAYERS
from meshstyle.errors import WeightsError
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import TORCHVISION_MEAN, TORCHVISION_STD, load_weights

Convolutions = list[tuple[torch.Tensor, torch.Tensor]]


def original_numbers(bgr: bool) -> Convolutions:
    """The bundled numbers as Caffe's own: input 0..255, channels in either order."""
    weights = load_weights()
    kernels = [weights.kernels[0] / 255, *weights.kernels[1:]]
    if bgr:
        kernels[0] = kernels[0].flip(1)
    return list(zip(kernels, weights.biases, strict=True))


def torchvision_names() -> list[str]:
    """features.N of each convolution: convolutions and ReLUs alternate, a pooling ends each block."""
    names, place = [], 0
    for count in BLOCKS:
        for _ in range(count):
            names.append(f"features.{place}")
            place += 2
        place += 1
    return names


def state_dict(convolutions: Convolutions) -> dict[str, torch.Tensor]:
    state = {}
    for name, (kernel, bias) in zip(torchvision_names(), convolutions, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = kernel.clone(), bias.clone()
    return state


def save(path: Path, convolutions: Convolutions) -> Path:
    if path.suffix == ".pth":
        torch.save(state_dict(convolutions), path)
    elif path.suffix == ".safetensors":
        safetensors.torch.save_file(state_dict(convolutions), path)
    else:
        with h5py.File(path, "w") as file:
            for layer, (kernel, bias) in zip(LAYERS, convolutions, strict=True):
                name = f"block{layer[0]}_conv{layer[2]}"
                file[f"{name}/{name}_W_1:0"] = kernel.permute(2, 3, 1, 0).numpy()
                file[f"{name}/{name}_b_1:0"] = bias.numpy()
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".h5"])
@pytest.mark.parametrize("bgr", [True, False])
def test_same_numbers_same_feature_maps_from_every_container(suffix: str, bgr: bool, tmp_path: Path) -> None:
    path = save(tmp_path / f"vgg{suffix}", original_numbers(bgr))
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    bundled = VGG19(load_weights()).features(picture, LAYER_NAMES)
    ours = VGG19(load_weights(str(path))).features(picture, LAYER_NAMES)
    assert list(ours) == list(LAYER_NAMES)
    for name in LAYER_NAMES:
        assert torch.allclose(ours[name], bundled[name], rtol=1e-4, atol=1e-3 * float(bundled[name].max())), (
            name
        )


def test_retrained_weights_are_read_by_torchvisions_own_convention(tmp_path: Path) -> None:
    """torchvision's model on standardised input is the reference; the mean is replicated at its border too."""
    generator = torch.Generator().manual_seed(1)
    convolutions = [
        (
            torch.randn(kernel.shape, generator=generator) * 0.05,
            torch.randn(bias.shape, generator=generator) * 0.1,
        )
        for kernel, bias in original_numbers(False)
    ]
    weights = load_weights(str(save(tmp_path / "own.pth", convolutions)))
    picture = torch.rand(1, 3, 24, 24, generator=generator)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (TORCHVISION_MEAN, TORCHVISION_STD))
    padded = torch.nn.functional.pad((picture - mean) / std, (1, 1, 1, 1), mode="replicate")
    expected = torch.relu(torch.nn.functional.conv2d(padded, *convolutions[0]))
    assert torch.allclose(VGG19(weights).features(picture, ["relu1_1"])["relu1_1"], expected, atol=1e-5)


def test_bundled_weights_know_the_original_network() -> None:
    """The bundled kernels are 256-level roundings; the biases are exact. Known from the Caffe model:
    conv1_1 has 64 kernels on BGR, and the mean colour gives relu1_1 = max(bias, 0)."""
    weights = load_weights()
    mean = torch.tensor(weights.mean).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    found = VGG19(weights).features(mean, ["relu1_1"])["relu1_1"]
    assert torch.allclose(found[0, :, 8, 8], weights.biases[0].clamp_min(0), atol=1e-3)


def broken_files(folder: Path) -> dict[str, Path]:
    files = {}
    for name, content in (("text.pth", b"hello"), ("text.safetensors", b"{}"), ("text.h5", b"hello")):
        files[name] = folder / name
        files[name].write_bytes(content)
    convolutions = original_numbers(True)
    files["short.pth"] = folder / "short.pth"
    torch.save(
        {"features.0.weight": convolutions[0][0], "features.0.bias": convolutions[0][1]}, files["short.pth"]
    )
    wrong = [(kernel[:, :, :1, :1], bias) for kernel, bias in convolutions]
    files["shape.pth"] = save(folder / "shape.pth", wrong)
    convolutions[3] = (convolutions[3][0] * float("nan"), convolutions[3][1])
    files["nan.pth"] = save(folder / "nan.pth", convolutions)
    files["list.pth"] = folder / "list.pth"
    torch.save([1, 2, 3], files["list.pth"])
    files["missing.pth"] = folder / "missing.pth"
    files["vgg.onnx"] = folder / "vgg.onnx"
    files["vgg.onnx"].write_bytes(b"")
    return files


def test_wrong_files_get_a_clear_error(tmp_path: Path) -> None:
    for name, path in broken_files(tmp_path).items():
        with pytest.raises(WeightsError) as caught:
            load_weights(str(path))
        message = str(caught.value)
        assert name in message
        assert "\n" not in message
