"""EfficientNet-Lite by the PyPI package `efficientnet-lite-pytorch`: names and shapes, logits and input gradients of Lite0.

Weights are computed from their names, as in `resnet.py`; names lose the underscores at the beginning of their parts.
"""

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet

from attacks import input_gradient
from network import Classifier
from resnet import NUM_CLASSES, made

# An odd side too: SAME then pads by another number of zeros.
SIDES = [64, 45]


def plain(name):
    return ".".join(part.lstrip("_") for part in name.split("."))


def lite(variant, **params):
    # Without an image size the package pads by the size of the maps, as TensorFlow does.
    return EfficientNet.from_name(f"efficientnet-lite{variant}", image_size=None, **params)


def state_dict_shapes():
    """Returns names and shapes of the state dicts, without allocating the tensors."""
    with torch.device("meta"):
        models = {f"efficientnet_lite{variant}": lite(variant) for variant in range(3)}
    return {
        name: {plain(key): list(value.shape) for key, value in model.state_dict().items()} for name, model in models.items()
    }


def made_state(network):
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        unit = made(plain(name), value.shape)
        if value.ndim > 1:  # He et al., with the fan-in; `unit` has a variance of 1/12
            unit = unit * np.float32(np.sqrt(24 / value[0].numel()))
        elif name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            unit = unit + 1
        state[name] = unit
    return state


def run(images_u8, labels):
    network = lite(0, num_classes=NUM_CLASSES)
    network.load_state_dict(made_state(network))
    model = Classifier(network).eval()
    images = images_u8.float() / 255
    values = {"images": images_u8, "labels": labels.to(torch.int32)}
    for side in SIDES:
        part = images[:, :, :side, :side].contiguous()
        values[f"logits_{side}"] = model(part).detach()
        values[f"input_gradient_{side}"] = input_gradient(model, part[:1], labels[:1])
    return values
