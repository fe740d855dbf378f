"""Small weight files in common forms, and in forms that the reader refuses, for the reader's tests."""

import warnings

import torch


def write(folder):
    folder.mkdir(exist_ok=True)
    kernel = torch.linspace(-1, 1, 2 * 3 * 7 * 7).reshape(2, 3, 7, 7)
    bias = torch.tensor([0.5, -2.0, 3.25])
    # A checkpoint of a training script: half precision, with DataParallel's names, and with an optimizer's state.
    state = {"module.conv1.weight": kernel.half(), "module.fc.bias": bias.double(), "module.bn1.num_batches_tracked": torch.tensor(7)}
    momentum = {"state": {0: {"momentum_buffer": bias}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": momentum}, folder / "nested.pth")
    torch.save({"model": {"conv1.weight": kernel.bfloat16()}}, folder / "model.pth")
    # Files that the reader refuses.
    torch.save({"conv1.weight": kernel.to(torch.complex64)}, folder / "complex.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantized = torch.quantize_per_tensor(kernel, 0.1, 0, torch.qint8)
        torch.save({"conv1.weight": quantized}, folder / "quantized.pth")
    torch.save([kernel], folder / "list.pth")
    torch.save({"epoch": 3}, folder / "none.pth")
