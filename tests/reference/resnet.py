"""torchvision's residual networks: names and shapes of full networks, numbers of narrow networks.

Even narrow networks have millions of weights, so weights are not stored: Python and Rust compute them from their names.
"""

import zlib

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from attacks import input_gradient
from network import Classifier

FULL = ["resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"]
NUM_CLASSES = 10
HIDDEN = 512
STEPS = 3


def state_dict_shapes():
    """Returns names and shapes of torchvision's state dicts, without allocating the tensors."""
    with torch.device("meta"):
        models = {name: getattr(torchvision.models, name)() for name in FULL}
    return {name: {key: list(value.shape) for key, value in model.state_dict().items()} for name, model in models.items()}


def made(name, shape):
    """Computes values in [-0.5, 0.5) from name and position alone; `tests/src/made.rs` computes the same."""
    x = np.arange(int(np.prod(shape)), dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(zlib.crc32(name.encode()))
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return torch.from_numpy((x >> np.uint32(8)).astype(np.float32) / np.float32(2**24) - np.float32(0.5)).reshape(shape)


def made_state(backbone):
    state = backbone.state_dict()
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        unit = made(name, value.shape)
        if value.ndim > 1:  # He et al., with the fan-in; `unit` has a variance of 1/12
            unit = unit * np.float32(np.sqrt(24 / value[0].numel()))
        elif name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            unit = unit + 1
        state[name] = unit
    return state


class Enlarged(nn.Module):
    """A network that resizes its pictures, as with `--input-size`."""

    def __init__(self, network, side):
        super().__init__()
        self.network, self.side = network, side

    def forward(self, x):
        size = (self.side, self.side)
        return self.network(nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False))


def narrow(block, **kwargs):
    """Builds a network of torchvision's class with one block in each group."""
    return ResNet(block, [1, 1, 1, 1], num_classes=NUM_CLASSES, **kwargs)


def networks():
    paper = narrow(Bottleneck, width_per_group=4)
    paper.fc = nn.Sequential(nn.Linear(2048, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, NUM_CLASSES))
    small_stem = narrow(Bottleneck, width_per_group=4)
    small_stem.conv1 = nn.Conv2d(3, 64, 3, 2, padding=1, bias=False)
    small_stem.maxpool = nn.Identity()
    smallest_stem = narrow(Bottleneck, width_per_group=4)
    smallest_stem.conv1 = nn.Conv2d(3, 64, 3, 1, padding=1, bias=False)
    smallest_stem.maxpool = nn.Identity()
    plain = {
        "basic": narrow(BasicBlock),
        "bottleneck": narrow(Bottleneck, width_per_group=4),
        "grouped": narrow(Bottleneck, groups=4, width_per_group=2),
        "paper_head": paper,
        "conv3": smallest_stem,
        "conv3_stride2": small_stem,
    }
    for network in plain.values():
        network.load_state_dict(made_state(network))
    enlarged = narrow(Bottleneck, width_per_group=4)
    enlarged.load_state_dict(made_state(enlarged))
    return plain | {"enlarged": Enlarged(enlarged, 96)}


def trained(images, labels):
    """Takes three steps of SGD and returns their losses and the running statistics."""
    network = narrow(Bottleneck, width_per_group=4)
    network.load_state_dict(made_state(network))
    model = Classifier(network).train()
    sgd = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, nesterov=True, weight_decay=5e-4)
    losses = []
    for _ in range(STEPS):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        sgd.step()
        losses.append(loss.detach())
    state = network.state_dict()
    statistics = {name: value.clone() for name, value in state.items() if "running" in name}
    return {"losses": torch.stack(losses), **statistics}


def run(images_u8, labels):
    images = images_u8.float() / 255
    values = {"images": images_u8, "labels": labels.to(torch.int32)}
    for name, network in networks().items():
        model = Classifier(network).eval()
        values[f"{name}.logits"] = model(images).detach()
        values[f"{name}.input_gradient"] = input_gradient(model, images[:1], labels[:1])
    return values, trained(images, labels)
