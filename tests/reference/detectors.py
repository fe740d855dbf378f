"""Detectors: Mahalanobis distances by scipy, measures of dropout by scipy, the head on maps by PyTorch, areas by DeLong's kernel."""

import numpy as np
import torch
from scipy.spatial.distance import mahalanobis
from scipy.stats import entropy
from torch import nn

CLASSES, CHANNELS, ROWS = 4, 6, 80


class MapHead(nn.Module):
    """The head of `shared::detect::MapHead`, by its names."""

    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, 32, 1)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.fc = nn.Linear(64, 4)

    def forward(self, maps):
        x = self.conv2(self.conv1(self.bn(maps)).relu()).relu().flatten(2)
        return self.fc(torch.cat([x.mean(2), x.amax(2)], 1))


def distances(features, labels, queries):
    """Lee et al., 2018: means by class, one covariance, and a ridge of a thousandth of the mean variance."""
    means = np.stack([features[labels == c].mean(0) for c in range(CLASSES)])
    centred = features - means[labels]
    covariance = centred.T @ centred / len(features)
    covariance += 1e-3 * np.trace(covariance) / CHANNELS * np.eye(CHANNELS)
    inverse = np.linalg.inv(covariance)
    nearest = [min(mahalanobis(query, mean, inverse) ** 2 for mean in means) for query in queries]
    return np.log(nearest)


def delong(attacked, others):
    """The area and its variance, pair by pair as in DeLong et al., 1988."""
    wins = (attacked[:, None] > others[None]) + 0.5 * (attacked[:, None] == others[None])
    variance = wins.mean(1).var(ddof=1) / len(attacked) + wins.mean(0).var(ddof=1) / len(others)
    return wins.mean(), variance


def tables():
    """Returns the tensors of a safetensors file, and the head's state dict."""
    rng = np.random.default_rng(17)
    labels = rng.integers(CLASSES, size=ROWS)
    mixing = rng.normal(size=(CHANNELS, CHANNELS))
    features = rng.normal(size=(ROWS, CHANNELS)) @ mixing + 3 * rng.normal(size=(CLASSES, CHANNELS))[labels]
    queries = np.concatenate([features[:5], 4 * rng.normal(size=(5, CHANNELS))])
    features, queries = features.astype(np.float32), queries.astype(np.float32)

    logits = 2 * rng.normal(size=(8, 5, 7)).astype(np.float32)
    probabilities = np.exp(logits.astype(np.float64))
    probabilities /= probabilities.sum(2, keepdims=True)
    mean = probabilities.mean(0)
    votes = probabilities.argmax(2)
    commonest = [np.bincount(votes[:, image]).max() / len(votes) for image in range(votes.shape[1])]

    torch.manual_seed(23)
    head = MapHead(CHANNELS)
    with torch.no_grad():
        head.bn.running_mean.uniform_(-1, 1)
        head.bn.running_var.uniform_(0.5, 2)
    maps = torch.randn(3, CHANNELS, 4, 4)
    attacked = rng.integers(12, size=40) + 3
    others = rng.integers(12, size=30)
    area, variance = delong(attacked, others)

    f32 = lambda array: torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    tensors = {
        "features": f32(features),
        "labels": torch.from_numpy(labels.astype(np.int32)),
        "queries": f32(queries),
        "log_distances": f32(distances(features.astype(np.float64), labels, queries.astype(np.float64))),
        "dropout_logits": f32(logits),
        "predictive_entropy": f32(entropy(mean, axis=1)),
        "mutual_information": f32(entropy(mean, axis=1) - entropy(probabilities, axis=2).mean(0)),
        "variation_ratio": f32(1 - np.array(commonest)),
        "maps": maps,
        "head_logits": head.eval()(maps).detach(),
        "attacked": f32(attacked),
        "others": f32(others),
        "area": f32([area, variance]),
        "energy": -torch.logsumexp(torch.from_numpy(logits[0]), 1),
        "max_softmax": 1 - torch.from_numpy(logits[0]).softmax(1).amax(1),
    }
    state = {name: value for name, value in head.state_dict().items() if not name.endswith("num_batches_tracked")}
    return tensors, state
