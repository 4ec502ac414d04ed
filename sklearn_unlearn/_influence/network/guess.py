"""What would a network say of rows that it had not been trained on?

What it says of other rows near them tells: where it knows single rows by heart, its outputs on them
stick out of those around. The outputs of remaining rows are smoothed by kernel ridge regression.
"""

import numpy as np
import torch

from sklearn_unlearn._influence.network.aims import outputs_of, raw_by

# Remaining rows among which near ones are looked for, and those whose outputs are smoothed.
CANDIDATES, NEAR_ROWS = 20_000, 1000
# Near rows that every row has a say in at least.
LEAST_NEAR = 30
# Ridge of the regression, in units of a row's kernel with itself.
RIDGE = 0.1


def guessed(objective, rows, rng):
    """Return what remaining rows near some others tell of the outputs of these.

    Parameters
    ----------
    objective : NetworkObjective
        Without the rows.

    rows : ndarray of int
        The rows.

    rng : RandomState
        Draws remaining rows where there are many.

    Returns
    -------
    torch.Tensor or None
        Raw predictions. None where rows have no distances, as sequences of words.
    """
    x = _flat(objective, rows)
    if not x.is_floating_point():
        return None
    near = near_rows(objective, x, rng)
    z, (raw, _) = _flat(objective, near), outputs_of(raw_by(objective), objective, near)
    outputs = raw.reshape(len(raw), -1)
    mean = outputs.mean(dim=0)
    square = torch.cdist(z, z).square()
    width = square.median().clamp(min=torch.finfo(z.dtype).tiny)
    kernel = torch.exp(-square / width)
    kernel.diagonal().add_(RIDGE)
    coefficients = torch.linalg.solve(kernel, (outputs - mean).to(kernel))
    guess = torch.exp(-torch.cdist(x, z).square() / width) @ coefficients
    return (guess.to(raw) + mean).reshape(len(rows), *raw.shape[1:])


def near_rows(objective, x, rng):
    """Return numbers of remaining rows that are near some others, the nearest of each first."""
    remaining = objective.remaining_rows()
    if len(remaining) > CANDIDATES:
        remaining = rng.choice(remaining, CANDIDATES, replace=False)
    n_each = min(len(remaining), max(LEAST_NEAR, NEAR_ROWS // len(x)))
    square, at = x.new_empty(len(x), 0), torch.empty(len(x), 0, dtype=torch.long, device=x.device)
    start = 0
    for z, _, _ in objective.batches(remaining):
        numbers = torch.arange(start, start + len(z), device=x.device).expand(len(x), -1)
        square = torch.cat([square, torch.cdist(x, z.flatten(1))], dim=1)
        at = torch.cat([at, numbers], dim=1)
        square, order = square.topk(min(n_each, square.shape[1]), largest=False)
        at, start = at.gather(1, order), start + len(z)
    ranked = at.T.flatten().cpu().numpy()
    _, first = np.unique(ranked, return_index=True)
    return remaining[ranked[np.sort(first)[:NEAR_ROWS]]]


def _flat(objective, rows):
    """Return rows as the network reads them, one vector each."""
    return torch.cat([x.flatten(1) for x, _, _ in objective.batches(rows)])
