"""The grid of contexts as one would write it down: every candidate of every block by itself, in plain PyTorch.

The parameters are those of the network's own modules, so that outputs, gradients and costs can be compared.
Convolutions, norms and activations are called as modules; windows are copied by `unfold`; candidates share nothing.
"""

import torch
import torch.nn.functional as F


def local_attention(query, key, value, window):
    """(B, d, h, w) query and key, (B, c, h, w) value to (B, c, h, w), with zeros outside the image."""
    batch, depth, height, width = query.shape
    keys, values = (
        F.unfold(x, window, padding=window // 2).view(batch, x.shape[1], window**2, height * width)
        for x in (key, value)
    )
    weights = (torch.einsum("bcp,bcwp->bwp", query.flatten(2), keys) / depth**0.5).softmax(1)
    return torch.einsum("bwp,bcwp->bcp", weights, values).view(batch, -1, height, width)


def global_attention(query, key, value):
    query, key, value = query.flatten(2), key.flatten(2), value.flatten(2)
    summary = torch.einsum("bdj,bcj->bdc", key, value)
    return torch.einsum("bdi,bdc->bci", query, summary) / torch.einsum("bdi,bd->bi", query, key.sum(2)).unsqueeze(1)


def label_attention(query, key, value):
    scores = torch.einsum("bdi,bdk->bik", query.flatten(2), key.flatten(2)) / query.shape[1] ** 0.5
    return torch.einsum("bik,bck->bci", scores.softmax(2), value.flatten(2))


def context(name, module, target, source, target_regions, source_regions):
    """The output of `module`, a context of type `name`, from its parameters."""
    if name == "none":
        return target.new_zeros(target.shape[0], module.channels, *target.shape[2:])
    memory = source
    if name in ("t-label", "s-label"):
        regions = target_regions if name == "t-label" else source_regions
        memory = torch.einsum("bkp,bcp->bck", regions.flatten(2), source.flatten(2)).unsqueeze(-1)
    query, key, value = module.query(target), module.key(memory), module.value(memory)
    if name == "local":
        return local_attention(query, key, value, module.window)
    attend = global_attention if name == "global" else label_attention
    return attend(query, key, value).view(target.shape[0], -1, *target.shape[2:])


def grid(module, candidates, weights, features, regions):
    """What `module`, a `ContextGrid`, should give: fused features per target.

    `candidates[label]` maps names to context modules, `weights[label]` names to their weights in the mixture.
    """
    result = {}
    for target in module.tasks:
        contexts = []
        for source in module.tasks:
            label = f"{target}/{source}"
            inputs = (features[target], features[source], regions[target], regions[source])
            contexts.append(
                sum(
                    weights[label][name] * context(name, candidate, *inputs)
                    for name, candidate in candidates[label].items()
                )
            )
        fusion = module.fusions[target]
        gathered = fusion.contexts(torch.cat(contexts, 1))
        result[target] = fusion.dropout(fusion.both(torch.cat([features[target], gathered], 1)))
    return result
