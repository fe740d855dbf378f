"""Writes the full wide_resnet50_2 with random weights as `.pth`, and its logits. For `cargo xtask test --full`.

usage: full.py FOLDER
"""

import sys
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

# Mean and standard deviation of ImageNet, with which networks with pretrained weights normalise their input.
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(11)
    network = torchvision.models.wide_resnet50_2()
    # Statistics of 0 and 1 would hide a swapped mean and variance.
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.8, 1.2)
        nn.init.normal_(norm.bias, 0.0, 0.1)
        norm.running_mean += 0.1 * torch.randn_like(norm.running_mean)
        norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.8, 1.25)
    network.eval()
    images_u8 = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    images = images_u8.float() / 255
    with torch.no_grad():
        logits = network((images - MEAN) / STD)
    torch.save(network.state_dict(), folder / "wide_resnet50_2.pth")
    save_file({"images": images, "logits": logits}, folder / "values.safetensors")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}; largest logit {logits.abs().max().item():.4g}")


if __name__ == "__main__":
    main()
