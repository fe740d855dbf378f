"""Bastion's Wide ResNet in PyTorch: the same layers under the same names as `shared/src/model/wide_resnet.rs`."""

import torch
from torch import nn

MEAN = (0.480, 0.448, 0.398)
STD = (0.277, 0.269, 0.282)


class Block(nn.Module):
    """A pre-activation basic block; the projection takes the activated input, as in Zagoruyko's code."""

    def __init__(self, inputs, outputs, stride, activation):
        super().__init__()
        self.activation = activation
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, padding=1, bias=False)
        changes_shape = inputs != outputs or stride != 1
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes_shape else None

    def forward(self, x):
        activated = self.activation(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(activated)
        return self.conv2(self.activation(self.bn2(self.conv1(activated)))) + shortcut


class WideResNet(nn.Module):
    def __init__(self, depth, width, strides, num_classes, stem_stride=2, activation=torch.relu):
        super().__init__()
        self.activation = activation
        blocks = (depth - 4) // 6
        channels = [16, 16 * width, 32 * width, 64 * width]

        def group(index):
            inputs, outputs = channels[index], channels[index + 1]
            first = Block(inputs, outputs, strides[index], activation)
            return nn.Sequential(first, *(Block(outputs, outputs, 1, activation) for _ in range(blocks - 1)))

        self.conv1 = nn.Conv2d(3, channels[0], 3, stem_stride, padding=1, bias=False)
        self.layer1, self.layer2, self.layer3 = group(0), group(1), group(2)
        self.bn1 = nn.BatchNorm2d(channels[3])
        self.fc = nn.Linear(channels[3], num_classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(self.activation(self.bn1(x)).mean(dim=(2, 3)))


class Classifier(nn.Module):
    """A network from pixels in [0, 1] to logits: normalisation is the first layer, so epsilon is in pixel units."""

    def __init__(self, backbone):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1), persistent=False)
        self.backbone = backbone

    def forward(self, images):
        return self.backbone((images - self.mean) / self.std)


def random_classifier(depth, width, strides, num_classes, seed):
    """Builds a network with random weights, and with batch norm statistics that are measured, then changed at random.

    Statistics of 0 and 1 would hide a swapped mean and variance.
    """
    torch.manual_seed(seed)
    model = Classifier(WideResNet(depth, width, strides, num_classes))
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.2)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.normal_(model.backbone.fc.weight, 0.0, 0.5)
    nn.init.normal_(model.backbone.fc.bias, 0.0, 0.5)
    model.train()
    with torch.no_grad():
        for _ in range(50):
            model(torch.rand(16, 3, 64, 64))
        for norm in norms:
            norm.running_mean += 0.2 * torch.randn_like(norm.running_mean)
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.7, 1.4)
    return model.eval()


def weights(model):
    """Returns the state dict without the step counters of batch norm, which inference does not use."""
    state = model.state_dict()
    return {name: value.contiguous() for name, value in state.items() if not name.endswith("num_batches_tracked")}
