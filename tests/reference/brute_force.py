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
    return CONTEXTS[name](module, *(x.detach().double().numpy() for x in inputs[:4]))


def no_context(module, target, *_):
    return np.zeros((len(target), module.channels, *target.shape[2:]))


def global_context(module, target, source, *_):
    return attention(module, target, flat(source), global_attention, softplus)


def local_context(module, target, source, *_):
    def attend(query, key, value):
        maps = [x.reshape(-1, *target.shape[2:]) for x in (query, key, value)]
        return local_attention(*maps, module.window)

    return attention(module, target, flat(source), attend)


def target_label_context(module, target, source, target_regions, _):
    return attention(module, target, gathered(target_regions, source), label_attention)


def source_label_context(module, target, source, _, source_regions):
    return attention(module, target, gathered(source_regions, source), label_attention)


CONTEXTS = {
    "none": no_context,
    "global": global_context,
    "local": local_context,
    "t-label": target_label_context,
    "s-label": source_label_context,
}
"""Name of a type -> its output (B, channels, h, w) from the module and the maps target, source, target_regions and
source_regions (B, ., h, w)."""


def attention(module, target, memory, attend, last=relu):
    """The three projections of a batch, then `attend` image by image: target (B, C, h, w), memory (B, C, m)."""
    query = project(module.query, flat(target), module.training, last)
    key = project(module.key, memory, module.training, last)
    value = project(module.value, memory, module.training)
    images = [attend(*image) for image in zip(query, key, value, strict=True)]
    return np.stack(images).reshape(len(target), -1, *target.shape[2:])


def gathered(regions, source):
    """Region features of a batch, (B, C, K)."""
    return np.stack([region_features(r, s) for r, s in zip(flat(regions), flat(source), strict=True)])


def flat(maps):
    return maps.reshape(*maps.shape[:2], -1)
