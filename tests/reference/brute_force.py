"""The context types as loops over pixels, in NumPy float64, written from the equations of the paper.

Slow on purpose: nothing here is vectorised over pixels, so that each line can be read against the method's text.
"""

import numpy as np


def relu(x):
    return np.maximum(x, 0)


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def softmax(scores):
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def project(stack, x, training, last=relu):
    """1x1 Conv-BN-ReLU layers over the positions of x (B, C, n); `last` follows the last norm."""
    for number, layer in enumerate(stack):
        weight = layer.conv.weight.detach().double().numpy()[:, :, 0, 0]
        z = np.empty((x.shape[0], weight.shape[0], x.shape[2]))
        for image in range(x.shape[0]):
            for position in range(x.shape[2]):
                z[image, :, position] = weight @ x[image, :, position]
        norm = layer.norm
        if training:
            mean, variance = z.mean((0, 2)), z.var((0, 2))
        else:
            mean, variance = norm.running_mean.double().numpy(), norm.running_var.double().numpy()
        z = (z - mean[:, None]) / np.sqrt(variance[:, None] + norm.eps)
        if norm.affine:
            z = z * norm.weight.detach().double().numpy()[:, None] + norm.bias.detach().double().numpy()[:, None]
        x = (last if number == len(stack) - 1 else relu)(z)
    return x


def local_attention(query, key, value, window):
    """One image: query (d, h, w), key (d, h, w), value (c, h, w). Outside the image keys and values are zero."""
    depth, height, width = query.shape
    context = np.zeros((value.shape[0], height, width))
    reach = window // 2
    for y in range(height):
        for x in range(width):
            keys, values = [], []
            for v in range(y - reach, y + reach + 1):
                for u in range(x - reach, x + reach + 1):
                    inside = 0 <= v < height and 0 <= u < width
                    keys.append(key[:, v, u] if inside else np.zeros(depth))
                    values.append(value[:, v, u] if inside else np.zeros(value.shape[0]))
            weights = softmax(np.stack(keys) @ query[:, y, x] / np.sqrt(depth))
            context[:, y, x] = weights @ np.stack(values)
    return context


def global_attention(query, key, value):
    """One image, positions flat: query (d, n), key (d, m), value (c, m)."""
    context = np.zeros((value.shape[0], query.shape[1]))
    for i in range(query.shape[1]):
        similarity = np.array([query[:, i] @ key[:, j] for j in range(key.shape[1])])
        context[:, i] = value @ (similarity / similarity.sum())
    return context


def label_attention(query, key, value):
    """One image: query (d, n), key (d, K), value (c, K)."""
    context = np.zeros((value.shape[0], query.shape[1]))
    for i in range(query.shape[1]):
        context[:, i] = value @ softmax(np.array([query[:, i] @ k for k in key.T]) / np.sqrt(len(query)))
    return context


def region_features(regions, source):
    """One image: regions (K, n) that sum to one over pixels, source (C, n) to (C, K)."""
    features = np.zeros((source.shape[0], regions.shape[0]))
    for region in range(regions.shape[0]):
        for pixel in range(source.shape[1]):
            features[:, region] += regions[region, pixel] * source[:, pixel]
    return features


def context(name, module, inputs):
    """What `module`, a context of type `name`, should give for `inputs` (tensors), in the mode it is in."""
    target, source, target_regions, source_regions = (x.detach().double().numpy() for x in inputs[:4])
    batch, _, height, width = target.shape
    if name == "none":
        return np.zeros((batch, module.channels, height, width))
    flat = [x.reshape(*x.shape[:2], -1) for x in (target, source, target_regions, source_regions)]
    memory = flat[1]
    if name in ("t-label", "s-label"):
        regions = flat[2] if name == "t-label" else flat[3]
        memory = np.stack([region_features(r, s) for r, s in zip(regions, flat[1], strict=True)])
    last = softplus if name == "global" else relu
    query = project(module.query, flat[0], module.training, last)
    key = project(module.key, memory, module.training, last)
    value = project(module.value, memory, module.training)
    result = []
    for q, k, v in zip(query, key, value, strict=True):
        if name == "local":
            image = [x.reshape(-1, height, width) for x in (q, k, v)]
            result.append(local_attention(*image, module.window))
        else:
            attend = global_attention if name == "global" else label_attention
            result.append(attend(q, k, v).reshape(-1, height, width))
    return np.stack(result)
