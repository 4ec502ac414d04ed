"""Steps of a network: one by its curvature, checked against its losses; more by its optimiser."""

import numpy as np
import torch

from sklearn_unlearn._records.receipt import Outcome

# Rows whose loss tells whether a step is trusted.
PROBE_ROWS = 2000
# In the quadratic model the remaining rows lose at most half of what the forgotten rows gain.
MAX_TRADE = 0.5
# Share of the remaining loss that may be lost in any case.
MAX_RISE = 0.01
# A step cut back to less than this calls for curvature at the parameters as they are.
STALE_SHARE = 0.25
# A step that must be shorter than this share of itself is of no use.
MIN_SHARE = 1e-9
# Probability that a class without rows keeps on the remaining rows.
MAX_PROBABILITY = 1e-6


def arrive(target, carried, hessian_of, steps, pass_begins):
    """Move a network's objective by a request.

    Parameters
    ----------
    target : NetworkObjective
        Where to start, with the gradient of what the request changes.

    carried : NetworkObjective
        The objective with the weights that are kept.

    hessian_of : NetworkObjective
        Whose curvature the step takes.

    steps : Steps
        Length of the step and number of steps after it.

    pass_begins : callable
        Called before each part, for progress.

    Returns
    -------
    objective : NetworkObjective
        The objective at the end.

    outcome : Outcome
        What the receipt shall say.
    """
    reason, end = "eta is zero", carried
    if steps.eta:
        pass_begins()
        start, change = target.theta, target.change()
        parts = []
        if change.any():
            solved, how = hessian_of.solve_and_report(-change[None])
            step = steps.eta * solved[0]
            share = trusted_share(target, start, step)
            end = carried.at(start + share * step)
            parts.append(how)
            if share < 1:
                parts.append(f"step cut back to {share:.2g} of its length")
            if share < STALE_SHARE:
                end = end.without_curvature()
        for code in target.vanished():
            end = switched_off(end, code)
            parts.append("the output of a class without rows was switched off")
        reason = "; ".join(parts) or "the gradient of the rows is zero"
        if steps.n_refine:
            pass_begins()
            end = optimised(end, steps.n_refine, steps.seed)
            reason += f"; {steps.n_refine} steps of the optimiser"
    return end, Outcome(stopped_because=reason)


def trusted_share(objective, start, step):
    """Return the share of a step that the losses agree with.

    A step of the quadratic model raises the loss of the remaining rows by at most half of
    what it adds to the forgotten rows' loss. One that raises it by more, as measured, and
    by more than a hundredth of itself, is cut back.
    """
    remaining = objective.remaining_rows()
    probe = remaining
    if len(remaining) > PROBE_ROWS:
        rng = np.random.RandomState(objective.seed)
        probe = rng.choice(remaining, PROBE_ROWS, replace=False)
    weights, removed = objective.weights[probe], objective.data.excluded
    before, gone = objective.losses(probe), objective.losses(removed)
    if not np.isfinite(before).all() or not np.isfinite(gone).all():
        raise ValueError(
            f"The loss of {objective.problem.name} is not finite on some training rows; no step "
            "can be judged. Look for extreme values in them."
        )
    scale = objective.weight / weights.sum()
    allowed = MAX_RISE * scale * (weights @ before)
    share = 1.0
    while share >= MIN_SHARE:
        ahead = objective.at(start + share * step)
        rise = scale * (weights @ (ahead.losses(probe) - before))
        gain = objective.weights[removed] @ (ahead.losses(removed) - gone)
        if rise <= max(allowed, MAX_TRADE * gain):
            return share
        # The rise goes with the square of the length, the gain with the length. A loss that
        # is not finite says nothing.
        fits = max((allowed / rise) ** 0.5, MAX_TRADE * gain / rise)
        share *= min(max(fits, 0.1), 0.5) if np.isfinite(fits) else 0.1
    raise ValueError(
        f"No step along the influence keeps the losses of {objective.problem.name} on the "
        "remaining rows. Use a larger damping."
    )


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


def optimised(objective, n_steps, seed):
    """Return the objective after steps of the network's optimiser on the remaining rows.

    Parameters
    ----------
    objective : NetworkObjective
        Where to start.

    n_steps : int
        Number of batches.

    seed : int
        Draws the order of the rows.

    Returns
    -------
    NetworkObjective
        Where the steps end. Dropout is off.
    """
    problem = objective.problem
    tensors = {name: p.clone().requires_grad_() for name, p in objective.parameters.items()}
    optimizer = problem.optimizer(list(tensors.values()))
    rng, numbers = np.random.RandomState(seed), objective.remaining_rows()
    ridge = {name: part / objective.weight for name, part in objective.penalties().items()}
    queue = np.empty(0, dtype=np.intp)
    for _ in range(n_steps):
        if not len(queue):
            queue = rng.permutation(numbers)
        batch, queue = queue[: problem.batch_size], queue[problem.batch_size :]
        weights, x, y = objective.tensors(batch)

        def closure(weights=weights, x=x, y=y):
            optimizer.zero_grad()
            loss = (weights * problem.losses(problem.raw(tensors, x), y)).sum() / weights.sum()
            for name, p in tensors.items():
                if ridge[name]:
                    loss = loss + 0.5 * ridge[name] * (p**2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
    if not all(torch.isfinite(p).all() for p in tensors.values()):
        raise ValueError(
            f"The optimiser of {problem.name} diverged within n_refine={n_steps} steps. Use fewer, "
            "or a lower learning rate."
        )
    return objective.at(objective.packed(tensors))
