"""Smallest changes by Foolbox (DeepFool, DDN), and how much few pixels do by torchattacks' differential evolution (one-pixel)."""

import foolbox
import numpy
import torch
import torchattacks
from torchattacks.attacks._differential_evolution import differential_evolution

# Steps after which images are written; DeepFool ends once all images are fooled.
DEEPFOOL_STEPS = [1, 50]
DDN_STEPS = 40
DDN_WRITTEN = [1, 10]
# As many candidates and generations for both programs, few enough for a test. The first generation is drawn at random.
POPULATION, GENERATIONS, SEEDS = 50, 6, 8
PIXELS = [1, 5]


class Recorder(torch.nn.Module):
    """A model that records the images that it is shown."""

    def __init__(self, model):
        super().__init__()
        self.model, self.shown = model, []

    def forward(self, images):
        self.shown.append(images.detach().clone())
        return self.model(images)


def distances(images, changed):
    return (changed - images).flatten(1).square().sum(1).sqrt()


def run(model, images, labels, targets):
    """Returns images after some steps, `[N, 3, 64, 64]` in [0, 1], and the lengths of the smallest changes, `[N]`, by attack. The
    labels are the model's own answers."""
    fmodel = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    results = {}
    for steps in DEEPFOOL_STEPS:
        # Ten candidates, of which one is the label.
        attack = foolbox.attacks.L2DeepFoolAttack(steps=steps, candidates=10, overshoot=0.02, loss="logits")
        results[f"deepfool_{steps}"] = attack.run(fmodel, images, foolbox.Misclassification(labels))
    fooled = results[f"deepfool_{DEEPFOOL_STEPS[-1]}"]
    assert (model(fooled).argmax(1) != labels).all()
    results["deepfool_distance"] = distances(images, fooled)
    for name, criterion in [
        ("ddn", foolbox.Misclassification(labels)),
        ("ddn_targeted", foolbox.TargetedMisclassification(targets)),
    ]:
        recorder = Recorder(model).eval()
        attack = foolbox.attacks.DDNAttack(init_epsilon=1.0, steps=DDN_STEPS, gamma=0.05)
        found = attack.run(foolbox.PyTorchModel(recorder, bounds=(0, 1), device="cpu"), images, criterion)
        assert len(recorder.shown) == DDN_STEPS
        if name == "ddn":
            results |= {f"{name}_{step}": recorder.shown[step] for step in DDN_WRITTEN}
        results[f"{name}_distance"] = distances(images, found)
    return results


def run_one_pixel(model, images, labels):
    """Returns the label's probability on each image after the attack, `[SEEDS, N]`, by number of pixels: with the paper's children (of
    three random candidates, no crossover), which torchattacks' own defaults are not."""
    results = {}
    for pixels in PIXELS:
        attack = torchattacks.OnePixel(model, pixels=pixels)
        bounds = ([(0, 64), (0, 64)] + [(0, 1)] * 3) * pixels
        rows = []
        for seed in range(SEEDS):
            best = lambda image, label: differential_evolution(  # noqa: E731
                func=lambda candidates: attack._loss(image, label, candidates),
                bounds=bounds,
                strategy="rand1bin",
                mutation=0.5,
                recombination=1,
                maxiter=GENERATIONS - 1,
                popsize=POPULATION // len(bounds),
                init="random",
                atol=-1,
                polish=False,
                seed=seed,
            ).fun
            rows.append([float(numpy.ravel(best(images[i : i + 1], labels[i : i + 1]))[0]) for i in range(len(images))])
        results[f"one_pixel_{pixels}"] = torch.tensor(rows)
    return results
