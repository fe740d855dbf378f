"""Pictures a second of PyTorch on a device, beside which `cargo xtask bench device` puts Bastion's.

    python3 tests/reference/speed.py cuda
"""

import sys
import time

import torch
import torchvision

from network import WideResNet

SPAN = 0.5
WARM_UP = 3


def rate(batch, work):
    for _ in range(WARM_UP):
        work().item()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SPAN:
        work().item()
        calls += 1
    return calls * batch / (time.perf_counter() - started)


def measure(network, batch, device, mixed):
    network = network.to(device)
    images = torch.rand(batch, 3, 64, 64, device=device)
    labels = torch.zeros(batch, dtype=torch.long, device=device)
    if mixed:
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)

    def loss_of(pictures):
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            logits = network(pictures)
        return torch.nn.functional.cross_entropy(logits.float(), labels)

    def gradient(pictures):
        pictures = pictures.clone().requires_grad_()
        return torch.autograd.grad(loss_of(pictures), pictures)[0]

    def train(pictures):
        optimizer.zero_grad()
        loss = loss_of(pictures)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def attacked():
        epsilon = 8 / 255
        pictures = images + torch.empty_like(images).uniform_(-epsilon, epsilon)
        for _ in range(3):
            pictures = pictures + 2.5 * epsilon / 3 * gradient(pictures).sign()
            pictures = torch.min(torch.max(pictures, images - epsilon), images + epsilon).clamp(0, 1)
        return pictures

    def forward():
        with torch.no_grad():
            return loss_of(images)

    def in_inference(work):
        network.eval()
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        result = work()
        network.train()
        for parameter in network.parameters():
            parameter.requires_grad_(True)
        return result

    return (
        in_inference(lambda: rate(batch, forward)),
        in_inference(lambda: rate(batch, lambda: gradient(images).sum())),
        rate(batch, lambda: train(images)),
        rate(batch, lambda: train(in_inference(attacked))),
    )


def main():
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    torch.backends.cudnn.benchmark = True
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"PyTorch {torch.__version__}, {name}: pictures of 64x64 a second")
    print(f"{'network':28}  {'batch':>5}  {'forward':>10}  {'input gradient':>14}  {'training step':>13}  {'PGD-3 and training':>18}")
    for label, build, batches in (
        ("WRN-16-4, strides 2,2,2", lambda: WideResNet(16, 4, (2, 2, 2), 200), (128, 512, 1024)),
        ("WRN-16-4, strides 1,2,2", lambda: WideResNet(16, 4, (1, 2, 2), 200), (512,)),
        ("Wide ResNet-50-2", lambda: torchvision.models.wide_resnet50_2(num_classes=200), (128,)),
    ):
        for mixed in (False, True):
            for batch in batches:
                rates = measure(build(), batch, device, mixed)
                numbers = [f"{value:>{width}.0f}" for value, width in zip(rates, (10, 14, 13, 18))]
                print(f"{label + (', bf16' if mixed else ''):28}  {batch:>5}  " + "  ".join(numbers), flush=True)


main()
