"""The layers whose curvature is a product of two smaller ones."""

from torch import nn


def layers_of(problem):
    """Yield the layers whose curvature is a product, and their parameters' names.

    Parameters
    ----------
    problem : NetworkProblem
        The network.

    Yields
    ------
    tuple of (torch.nn.Module, str, str or None)
        Layer, name of its weight, name of its bias, None if that may not move.
    """
    for name, layer in problem.module.named_modules():
        prefix = f"{name}." if name else ""
        plain = type(layer) is nn.Linear or (
            type(layer) is nn.Conv2d and layer.groups == 1 and layer.padding_mode == "zeros"
        )
        weight, bias = f"{prefix}weight", f"{prefix}bias"
        if not plain or weight not in problem.movable:
            continue
        yield layer, weight, bias if bias in problem.movable else None


def layer_inputs(layer, a, bias):
    """Return what a layer multiplies its weight by, of shape (n, t, n_inputs)."""
    if isinstance(layer, nn.Conv2d):
        padding = layer.padding
        if padding == "same":
            a, padding = nn.functional.pad(a, _same_padding(layer)), 0
        elif padding == "valid":
            padding = 0
        a = nn.functional.unfold(
            a, layer.kernel_size, layer.dilation, padding, layer.stride
        ).transpose(1, 2)
    else:
        a = a.reshape(len(a), -1, a.shape[-1])
    return a if bias is None else nn.functional.pad(a, (0, 1), value=1.0)


def _same_padding(layer):
    """Return the padding that keeps an image's size: left, right, top, bottom.

    An even kernel has one more on the right and at the bottom.
    """
    totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    return tuple(side for total in totals[::-1] for side in (total // 2, total - total // 2))


def layer_outputs(layer, g):
    """Return the gradients by a layer's outputs, of shape (n, t, n_outputs)."""
    if isinstance(layer, nn.Conv2d):
        return g.flatten(2).transpose(1, 2)
    return g.reshape(len(g), -1, g.shape[-1])
