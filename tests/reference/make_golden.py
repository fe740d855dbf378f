"""Writes ../golden: values computed by PyTorch, torchattacks, scipy and Pillow. See README.md."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import attacks
import autoattack
import corruptions
import detectors
import efficientnet_lite
import explain
import metrics
import network
import perturbations
import pictures
import resnet
import smallest
import weights

GOLDEN = Path(__file__).parent.parent / "golden"
NUM_CLASSES = 20


def as_u16(images):
    """Converts images to units of 1/65535: half the size of f32, with an error of at most 7.6e-6."""
    return (images.clamp(0, 1) * 65535).round().to(torch.uint16)


def batch():
    """Makes four pictures as bytes, so that every pixel is a multiple of 1/255 in Rust and in Python alike."""
    chw = [torch.from_numpy(pictures.numpy_rgb(pictures.scene(64, 64, 40 + i, noise=6))).permute(2, 0, 1) for i in range(4)]
    return torch.stack(chw).contiguous()


def write_network(name, strides, images_u8, labels, with_gradient):
    """Writes the weights of a random network, and its logits and input gradient on `images_u8`; returns the network."""
    model = network.random_classifier(10, 1, strides, NUM_CLASSES, seed=5)
    save_file(network.weights(model), GOLDEN / f"{name}.weights.safetensors")
    images = images_u8.float() / 255
    values = {"images": images_u8, "labels": labels.to(torch.int32)}
    values["logits"] = model(images).detach()
    if with_gradient:
        values["input_gradient"] = attacks.input_gradient(model, images, labels)
    save_file(values, GOLDEN / f"{name}.values.safetensors")
    return model


def write_variant(name, model, images_u8, labels):
    """Writes what the weights of `model` give behind a stem of stride 1, with SiLU."""
    variant = network.Classifier(
        network.WideResNet(10, 1, [1, 2, 2], model.backbone.fc.out_features, stem_stride=1, activation=torch.nn.functional.silu)
    )
    variant.load_state_dict(model.state_dict())
    variant.eval()
    images = images_u8.float() / 255
    values = {"images": images_u8, "labels": labels.to(torch.int32), "logits": variant(images).detach()}
    values["input_gradient"] = attacks.input_gradient(variant, images, labels)
    save_file(values, GOLDEN / f"{name}.values.safetensors")


def main():
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    GOLDEN.mkdir(exist_ok=True)

    images_u8, labels = batch(), torch.tensor([3, 17, 0, 9])
    model = write_network("wrn_10_1", [1, 2, 2], images_u8, labels, with_gradient=True)
    write_network("wrn_10_1_strides_222", [2, 2, 2], images_u8, labels, with_gradient=False)
    write_variant("wrn_10_1_silu", model, images_u8[:1], labels[:1])

    save_file(explain.run(model, images_u8[:2], labels[:2]), GOLDEN / "explain.safetensors")

    # Two images suffice for the attacks, and keep the file small.
    images, targets = images_u8[:2].float() / 255, torch.tensor([12, 5])
    attacked = attacks.run(model, images, labels[:2], targets)
    results = {name: as_u16(result) for name, result in attacked.items()}
    # The random start is not rounded, since rounding would flip the sign of many small gradients.
    results["pgd_start"] = attacked["pgd_start"]
    results["targets"] = targets.to(torch.int32)
    save_file(results, GOLDEN / "attacks.safetensors")
    for name, attack in [("mi_fgsm", attacks.run_mi_fgsm), ("pgd_l2", attacks.run_pgd_l2)]:
        attacked = attack(model, images, labels[:2], targets)
        save_file({step: as_u16(result) for step, result in attacked.items()}, GOLDEN / f"{name}.safetensors")

    # One image, since there are many steps; starts and losses are not rounded.
    apgd = autoattack.run(model, images[:1], labels[:1], targets[:1])
    # FAB starts from images that are classified rightly, so the network's own answer is the label.
    apgd |= autoattack.run_fab(model, images[:1], model(images[:1]).argmax(1)) | autoattack.bumps()
    exact = lambda name: name.endswith(("_start", "_losses", "_distance")) or name.startswith("bump")  # noqa: E731
    apgd = {name: value if exact(name) else as_u16(value) for name, value in apgd.items()}
    save_file(apgd, GOLDEN / "autoattack.safetensors")

    answers = model(images_u8.float() / 255).argmax(1)
    changes = smallest.run(model, images, answers[:2], targets)
    changes |= smallest.run_one_pixel(model, images_u8.float() / 255, answers)
    exact = lambda name: name.endswith("_distance") or name.startswith("one_pixel")  # noqa: E731
    changes = {name: value if exact(name) else as_u16(value) for name, value in changes.items()}
    save_file(changes, GOLDEN / "smallest.safetensors")

    image = images_u8[1].float() / 255
    perturbed = {name: as_u16(result).contiguous() for name, result in perturbations.run(image).items()}
    save_file({"image": images_u8[1], **perturbed}, GOLDEN / "perturbations.safetensors")

    tensors, tables = metrics.tables()
    save_file(tensors, GOLDEN / "metrics.safetensors")
    (GOLDEN / "metrics.json").write_text(json.dumps(tables, indent=1) + "\n")

    shapes = resnet.state_dict_shapes()
    (GOLDEN / "torchvision_shapes.json").write_text(json.dumps(shapes, separators=(",", ":")) + "\n")
    values, trained = resnet.run(images_u8, labels % resnet.NUM_CLASSES)
    save_file(values, GOLDEN / "resnet.safetensors")
    save_file(trained, GOLDEN / "resnet_trained.safetensors")
    tensors, head = detectors.tables()
    save_file(tensors, GOLDEN / "detectors.safetensors")
    save_file(head, GOLDEN / "detector_head.weights.safetensors")
    shapes = efficientnet_lite.state_dict_shapes()
    (GOLDEN / "efficientnet_lite_shapes.json").write_text(json.dumps(shapes, separators=(",", ":")) + "\n")
    values = efficientnet_lite.run(images_u8, labels % resnet.NUM_CLASSES)
    save_file(values, GOLDEN / "efficientnet_lite.safetensors")
    # The same weights in the format of PyTorch.
    torch.save(model.backbone.state_dict(), GOLDEN / "wrn_10_1.pth")
    weights.write(GOLDEN / "weights")

    save_file(corruptions.run(), GOLDEN / "corruptions.safetensors")

    pictures.write(GOLDEN / "pictures")
    for file in sorted(GOLDEN.rglob("*")):
        if file.is_file():
            print(f"{file.stat().st_size:8} {file.relative_to(GOLDEN)}")


if __name__ == "__main__":
    main()
