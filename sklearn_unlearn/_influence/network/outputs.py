"""The last layer of a classifier: its bias follows class shares, outputs are switched off."""

import numpy as np
import torch

# Remaining rows on which a class that is gone is looked at, and the probability it may keep there.
PROBE_ROWS, MAX_PROBABILITY = 2000, 1e-6
# What a count of rows is raised by, so that none is zero.
PRIOR_ROWS = 0.5


def output_layer(objective, code):
    """Return the names of weight and bias of the outputs, None if they aren't known."""
    module = objective.problem.module
    for name, layer in reversed(list(module.named_modules())):
        if next(layer.parameters(recurse=False), None) is None:
            continue
        prefix = f"{name}." if name else ""
        weight, bias = f"{prefix}weight", f"{prefix}bias"
        known = isinstance(layer, torch.nn.Linear) and layer.bias is not None
        if known and layer.out_features > code and {weight, bias} <= set(objective.parameters):
            return weight, bias
        return None
    return None


def check_output(objective, code, start):
    """Raise if the output of a class can't be switched off.

    Parameters
    ----------
    objective : NetworkObjective
        Of a classifier.

    code : int
        Number of the class.

    start : str
        How the message starts.
    """
    if output_layer(objective, code) is None:
        raise ValueError(
            f"{start}, and {objective.problem.name} does not end in a Linear layer whose weight "
            "and bias may move, so that the class's output can't be switched off. Fit a new model."
        )


def switched_off(objective, code):
    """Return the objective with the output of a class set to what no row ever asked for.

    Its weights are zero, its bias so low that the class has no probability on the remaining
    rows: the optimum of an output without rows, up to the size of the bias.
    """
    weight, bias = output_layer(objective, code)
    parameters = {name: p.clone() for name, p in objective.parameters.items()}
    parameters[weight][code] = 0
    numbers = objective.remaining_rows()[:PROBE_ROWS]
    aim = np.log(MAX_PROBABILITY)
    for _ in range(5):
        objective = objective.at(objective.packed(parameters))
        with torch.no_grad():
            highest = max(
                float(
                    objective.problem.raw(objective.parameters, x).log_softmax(dim=1)[:, code].max()
                )
                for x, _, _ in objective.batches(numbers)
            )
        if highest <= aim:
            return objective
        parameters[bias][code] += 1.1 * (aim - highest) - 0.1
    raise ValueError(
        f"The last layer of {objective.problem.name} is not the one that tells classes apart: its "
        "bias does not lower the probability of a class without rows. Fit a new model."
    )


def class_shift(objective, forgotten):
    """Return how the logarithms of class shares change when rows leave, None without classes."""
    if objective.y.ndim > 1:
        return None
    n_codes = len(objective.counts)
    gone = np.bincount(objective.y[forgotten], minlength=n_codes)
    after = objective.counts + PRIOR_ROWS
    before = after + gone
    return np.log(after / after.sum()) - np.log(before / before.sum())


def shifted(objective, forgotten):
    """Return parameters whose last bias follows the shares of the classes."""
    parameters = objective.parameters
    shift, layer = class_shift(objective, forgotten), output_layer(objective, 0)
    if shift is None or layer is None:
        return parameters
    bias = parameters[layer[1]]
    if len(bias) == 1 and len(shift) == 2:
        shift = shift[1:] - shift[:1]
    if len(bias) != len(shift):
        return parameters
    return {**parameters, layer[1]: bias + torch.as_tensor(shift).to(bias)}
