"""Maps of what speaks for a class: Grad-CAM at each stage by `grad-cam`, SmoothGrad and its gradients by `captum`.

The network is the small Wide ResNet of `network.py`. Pictures are cut to 32x32, which the network takes too, to keep the file
small.
"""

import torch
from captum.attr import NoiseTunnel, Saliency
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

SIDE = 32
COPIES = 2
SIGMA = 0.1


class UnscaledGradCAM(GradCAM):
    """Grad-CAM as `grad-cam` computes it, before the maps are scaled to [0, 1] and enlarged to the size of the picture."""

    def compute_cam_per_layer(self, input_tensor, targets, eigen_smooth, *_):
        maps, gradients = self.activations_and_grads.activations[0], self.activations_and_grads.gradients[0]
        maps, gradients = maps.cpu().data.numpy(), gradients.cpu().data.numpy()
        cam = self.get_cam_image(input_tensor, self.target_layers[0], targets, maps, gradients, eigen_smooth)
        self.before_relu = cam
        return [cam.clip(min=0)[:, None, :]]

    def aggregate_multi_layers(self, cam_per_target_layer):
        return cam_per_target_layer[0][:, 0]


class Activation(torch.nn.Module):
    """The network's last activation as a module, so that there is a layer to hook."""

    def forward(self, x):
        return torch.relu(x)


class Split(torch.nn.Module):
    """The classifier with its last activation as a module: the same layers and the same logits."""

    def __init__(self, model):
        super().__init__()
        self.model, self.last = model, Activation()

    def forward(self, images):
        backbone = self.model.backbone
        x = (images - self.model.mean) / self.model.std
        x = backbone.layer3(backbone.layer2(backbone.layer1(backbone.conv1(x))))
        return backbone.fc(self.last(backbone.bn1(x)).mean(dim=(2, 3)))


def run(model, images_u8, labels):
    images_u8 = images_u8[:, :, :SIDE, :SIDE].contiguous()
    images = images_u8.float() / 255
    split = Split(model).eval()
    assert torch.equal(split(images), model(images))
    values = {"images": images_u8, "labels": labels.to(torch.int32)}
    for stage, layer in enumerate([model.backbone.layer1, model.backbone.layer2, split.last]):
        with UnscaledGradCAM(model=split, target_layers=[layer]) as cam:
            values[f"grad_cam_{stage}"] = torch.from_numpy(
                cam(input_tensor=images.clone(), targets=[ClassifierOutputTarget(int(label)) for label in labels])
            ).float()
            if stage == 2:  # before its ReLU, Grad-CAM at the last stage is the exact map of evidence
                values["evidence"] = torch.from_numpy(cam.before_relu).float()

    # The gradient of the logit itself: captum takes no loss.
    values["gradient"] = Saliency(model).attribute(images[:1].clone().requires_grad_(), target=labels[:1], abs=False).detach()
    seen = []

    def recorded(x):
        seen.append(x.detach().clone())
        return model(x)

    # What is drawn after this script is drawn as without it.
    with torch.random.fork_rng():
        torch.manual_seed(11)
        tunnel = NoiseTunnel(Saliency(recorded))
        smooth = tunnel.attribute(
            images[:1].clone().requires_grad_(),
            nt_type="smoothgrad",
            nt_samples=COPIES,
            nt_samples_batch_size=1,
            stdevs=SIGMA,
            target=labels[:1],
            abs=False,
        )
    # captum may ask for the logits of the picture itself too: the noisy copies are the others.
    noisy = [x for x in seen if not torch.equal(x, images[:1])]
    assert len(noisy) == COPIES and all(len(x) == 1 for x in noisy)
    values["noisy"] = torch.cat(noisy).contiguous()
    values["smooth_gradient"] = smooth.detach()
    return {name: value.contiguous() for name, value in values.items()}
