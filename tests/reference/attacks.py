"""FGSM, BIM, PGD, MI-FGSM and L2-PGD by torchattacks, checked against Foolbox where both have the same attack
before any file is written."""

import foolbox
import torch
import torchattacks
from torch.nn.functional import cross_entropy

EPSILON = 8 / 255
STEPS = 5
BIM_STEP = EPSILON / 4
PGD_STEP = 2.5 * EPSILON / STEPS
# Step size of the paper (Dong et al., 2018, section 3.1): all steps together reach the edge of the ball.
MI_FGSM_STEP = EPSILON / STEPS
L2_EPSILON = 0.5
L2_STEP = 2.5 * L2_EPSILON / STEPS


def input_gradient(model, images, labels):
    """Returns the gradient of the summed cross entropy, which for each image is independent of the batch."""
    images = images.clone().requires_grad_()
    cross_entropy(model(images), labels, reduction="sum").backward()
    return images.grad


def targeted(attack):
    """Turns an attack into its targeted form: labels are then targets."""
    attack.set_mode_targeted_by_label(quiet=True)
    return attack


def run(model, images, labels, targets):
    """Returns the attacked images by name, each `[N, 3, 64, 64]` in [0, 1]."""
    bim = lambda steps: torchattacks.BIM(model, eps=EPSILON, alpha=BIM_STEP, steps=steps)  # noqa: E731
    results = {
        "fgsm": torchattacks.FGSM(model, eps=EPSILON)(images, labels),
        "fgsm_targeted": targeted(torchattacks.FGSM(model, eps=EPSILON))(images, targets),
        "bim_targeted_5": targeted(bim(STEPS))(images, targets),
    }
    for steps in range(1, STEPS + 1):
        results[f"bim_{steps}"] = bim(steps)(images, labels)

    # torchattacks draws the random start from the global generator: the same seed gives the same start.
    torch.manual_seed(7)
    start = (images + torch.empty_like(images).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
    torch.manual_seed(7)
    pgd = torchattacks.PGD(model, eps=EPSILON, alpha=PGD_STEP, steps=STEPS)
    results |= {"pgd_start": start, "pgd_5": pgd(images, labels)}

    check_with_foolbox(model, images, labels, targets, results)
    return results


def run_mi_fgsm(model, images, labels, targets):
    """Returns the images after each step, and after the last step towards `targets`.

    Foolbox's MI-FGSM does not divide gradients by their L1 norm, as the paper does, so it is another attack.
    """
    attack = lambda steps: torchattacks.MIFGSM(model, eps=EPSILON, alpha=MI_FGSM_STEP, steps=steps, decay=1.0)  # noqa: E731
    results = {f"step_{steps}": attack(steps)(images, labels) for steps in range(1, STEPS + 1)}
    return results | {"targeted": targeted(attack(STEPS))(images, targets)}


def run_pgd_l2(model, images, labels, targets):
    """Returns the images after each step without a random start, and after the last step towards `targets`."""
    attack = lambda steps: torchattacks.PGDL2(  # noqa: E731
        model, eps=L2_EPSILON, alpha=L2_STEP, steps=steps, random_start=False
    )
    results = {f"step_{steps}": attack(steps)(images, labels) for steps in range(1, STEPS + 1)}
    results["targeted"] = targeted(attack(STEPS))(images, targets)
    fmodel = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    for name, criterion in [
        (f"step_{STEPS}", foolbox.Misclassification(labels)),
        ("targeted", foolbox.TargetedMisclassification(targets)),
    ]:
        pgd = foolbox.attacks.L2PGD(abs_stepsize=L2_STEP, steps=STEPS, random_start=False)
        largest = (pgd.run(fmodel, images, criterion, epsilon=L2_EPSILON) - results[name]).abs().max().item()
        print(f"L2-PGD, {name}: torchattacks and Foolbox differ by {largest:.1e} at most")
        assert largest < 1e-5, name
    return results


def check_with_foolbox(model, images, labels, targets, results):
    """Checks FGSM and BIM of `results` against Foolbox."""
    fmodel = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    attacks = foolbox.attacks
    fgsm = attacks.LinfFastGradientAttack(random_start=False)
    bim = attacks.LinfBasicIterativeAttack(abs_stepsize=BIM_STEP, steps=STEPS, random_start=False)
    # Foolbox's gradient attacks refuse targeted FGSM; BIM's five steps cover the sign.
    cases = {
        "fgsm": (fgsm, foolbox.Misclassification(labels)),
        "bim_5": (bim, foolbox.Misclassification(labels)),
        "bim_targeted_5": (bim, foolbox.TargetedMisclassification(targets)),
    }
    for name, (attack, criterion) in cases.items():
        ours = attack.run(fmodel, images, criterion, epsilon=EPSILON)
        differing = ((ours - results[name]).abs() > 1e-6).float().mean().item()
        print(f"{name}: torchattacks and Foolbox differ at {differing:.4%} of the values")
        # The sign of a gradient of nearly zero is not reproducible.
        assert differing < 1e-3, name
