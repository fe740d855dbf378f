"""FGSM, BIM, PGD, MI-FGSM and L2-PGD by torchattacks; Foolbox has to agree where it has the same attack before anything is
written."""

import foolbox
import torch
import torchattacks
from torch.nn.functional import cross_entropy

EPSILON = 8 / 255
STEPS = 5
BIM_STEP = EPSILON / 4
PGD_STEP = 2.5 * EPSILON / STEPS
# The paper's: all steps together reach the edge of the ball (Dong et al., 2018, section 3.1).
MI_FGSM_STEP = EPSILON / STEPS
L2_EPSILON = 0.5
L2_STEP = 2.5 * L2_EPSILON / STEPS


def input_gradient(model, images, labels):
    """Of the summed cross entropy, so that no image's gradient depends on its batch."""
    images = images.clone().requires_grad_()
    cross_entropy(model(images), labels, reduction="sum").backward()
    return images.grad


def targeted(attack):
    attack.set_mode_targeted_by_label(quiet=True)
    return attack


def run(model, images, labels, targets):
    """All attacked images, `[N, 3, 64, 64]` in [0, 1]."""
    bim = lambda steps: torchattacks.BIM(model, eps=EPSILON, alpha=BIM_STEP, steps=steps)  # noqa: E731
    results = {
        "fgsm": torchattacks.FGSM(model, eps=EPSILON)(images, labels),
        "fgsm_targeted": targeted(torchattacks.FGSM(model, eps=EPSILON))(images, targets),
        "bim_targeted_5": targeted(bim(STEPS))(images, targets),
    }
    for steps in range(1, STEPS + 1):
        results[f"bim_{steps}"] = bim(steps)(images, labels)

    # torchattacks draws its start from the global generator: the same seed gives the same start.
    torch.manual_seed(7)
    start = (images + torch.empty_like(images).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
    torch.manual_seed(7)
    pgd = torchattacks.PGD(model, eps=EPSILON, alpha=PGD_STEP, steps=STEPS)
    results |= {"pgd_start": start, "pgd_5": pgd(images, labels)}

    check_with_foolbox(model, images, labels, targets, results)
    return results


def run_mi_fgsm(model, images, labels, targets):
    """Images after each step, and after the last one towards `targets`. Foolbox's attack of this name adds gradients up as
    they are, without the paper's division by their L1 norm, so it has no say here."""
    attack = lambda steps: torchattacks.MIFGSM(model, eps=EPSILON, alpha=MI_FGSM_STEP, steps=steps, decay=1.0)  # noqa: E731
    results = {f"step_{steps}": attack(steps)(images, labels) for steps in range(1, STEPS + 1)}
    return results | {"targeted": targeted(attack(STEPS))(images, targets)}


def run_pgd_l2(model, images, labels, targets):
    """Images after each step from the images themselves, and after the last one towards `targets`."""
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
        # A gradient of nearly zero may have either sign.
        assert differing < 1e-3, name
