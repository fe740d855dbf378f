"""Accuracy@k and softmax by torch, Wilson intervals by scipy."""

import torch
from scipy.stats import binomtest

KS = (1, 2, 3, 5, 10, 20)


def tables():
    """Returns the tensors of a safetensors file and the tables of a JSON file."""
    generator = torch.Generator().manual_seed(11)
    logits = 3 * torch.randn(60, 20, generator=generator)
    labels = torch.randint(20, (60,), generator=generator)
    # Half of the labels are made likely, so that the counts at small k are not all near chance.
    labels[::2] = (logits + torch.randn(60, 20, generator=generator))[::2].argmax(1)
    hits = [int((logits.topk(k, dim=1).indices == labels[:, None]).any(1).sum()) for k in KS]
    tensors = {"logits": logits, "labels": labels.to(torch.int32), "softmax": logits.softmax(1)}

    counts = [(0, 20), (1, 20), (20, 20), (81, 263), (2500, 10_000), (9_999, 10_000)]
    wilson = [(hits, of, *binomtest(hits, of).proportion_ci(0.95, method="wilson")) for hits, of in counts]
    return tensors, {
        "accuracy_at_k": [{"k": k, "hits": hits} for k, hits in zip(KS, hits)],
        "wilson": [{"hits": h, "of": n, "low": float(low), "high": float(high)} for h, n, low, high in wilson],
    }
