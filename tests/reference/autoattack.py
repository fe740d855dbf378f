"""APGD, FAB and the bumps of Square by the authors of AutoAttack (PyPI's pyautoattack 0.2.0), from given starts, with all that the model was shown."""

import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack

STEPS = 20
EPSILON = {"Linf": 8 / 255, "L2": 0.5}
# Of the images after each step, those that are written.
WRITTEN = [1, 5, 9]


class Recorder(torch.nn.Module):
    """A model that records the images that it is shown."""

    def __init__(self, model):
        super().__init__()
        self.model, self.seen = model, []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return self.model(images)


def start(images, norm):
    """Returns a point of the ball around `images`, the same in each run."""
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(11)) * 2 - 1
    length = noise.abs().amax((1, 2, 3), True) if norm == "Linf" else noise.square().sum((1, 2, 3), True).sqrt()
    return (images + EPSILON[norm] * noise / length).clamp(0, 1)


def run(model, images, labels, targets):
    """Returns starts, losses after each step and some of the images, by attack: `[N, 3, 64, 64]` in [0, 1], losses `[STEPS, N]`."""
    results = {}
    for norm in ("Linf", "L2"):
        x_0 = start(images, norm)
        results[f"{norm}_start"] = x_0
        for loss in ("ce", "dlr", "dlr-targeted"):
            recorder = Recorder(model)
            settings = dict(n_iter=STEPS, norm=norm, eps=EPSILON[norm], device="cpu")
            if loss == "dlr-targeted":
                attack = APGDAttack_targeted(recorder, **settings)
                attack.y_target = targets
            else:
                attack = APGDAttack(recorder, loss=loss, **settings)
            attack.init_hyperparam(images)
            recorder.seen.clear()
            attack.attack_single_run(images, labels, x_init=x_0)
            iterates = recorder.seen
            assert len(iterates) == STEPS + 1, len(iterates)
            loss_of = {
                "ce": lambda z: torch.nn.functional.cross_entropy(z, labels, reduction="none"),
                "dlr": lambda z: attack.dlr_loss(z, labels),
                "dlr-targeted": lambda z: attack.dlr_loss_targeted(z, labels),
            }[loss]
            name = f"{norm}_{loss}"
            with torch.no_grad():
                results[f"{name}_losses"] = torch.stack([loss_of(model(x)) for x in iterates[1:]])
            for step in WRITTEN if loss == "ce" else WRITTEN[-1:]:
                results[f"{name}_{step}"] = iterates[step]
    return results


def run_fab(model, images, labels):
    """Returns the images before they are drawn back, after some steps towards the second likeliest class, and the distances of the
    nearest that are fooled after `STEPS` steps, by norm."""
    results = {}
    for norm in ("Linf", "L2"):
        recorder = Recorder(model)
        attack = FABAttack_PT(recorder, norm=norm, n_iter=STEPS, eps=EPSILON[norm], targeted=True, device="cpu")
        attack.target_class = 2
        adversarial = attack.attack_single_run(images, labels, use_rand_start=False, is_targeted=True)
        # Two looks at the images as they are, then two a step: at the point before, and at the one after.
        for step in (1, 2, 6):
            results[f"fab_{norm}_{step}"] = recorder.seen[2 + 2 * step - 1]
        change = (adversarial - images).flatten(1)
        results[f"fab_{norm}_distance"] = change.abs().amax(1) if norm == "Linf" else change.square().sum(1).sqrt()
    return results


def bumps():
    """Returns Square's bumps of some sides in L2, `[side, side]`, upright."""
    attack = SquareAttack(None, norm="L2", device="cpu")
    results = {}
    for side in (3, 5, 12):
        while True:
            bump = attack.eta(side)
            if (bump[0] >= 0).all() and (bump[-1] <= 0).all():
                break
        results[f"bump_{side}"] = bump.contiguous()
    return results
