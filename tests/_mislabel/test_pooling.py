"""Unlike models become one, and what it says becomes the posterior of every label."""

import numpy as np
import pytest

from sklearn_unlearn._mislabel.noise import (
    label_posterior,
    labels_tell,
    noise_matrix,
    sure_counts,
    true_probabilities,
)
from sklearn_unlearn._mislabel.pooling import (
    calibrated,
    log_probabilities,
    normalised,
    pool_weights,
    pooled,
)
from sklearn_unlearn._mislabel.residuals import blend_weights, robust_weights


def generated(seed, n_rows=400, n_classes=3, noises=(0.5, 1.0, 2.0)):
    """Return log probabilities of models that err more and more, and labels."""
    rng = np.random.default_rng(seed)
    true = normalised(2 * rng.standard_normal((n_rows, n_classes)))
    u = rng.random((n_rows, 1))
    codes = np.minimum((np.exp(true).cumsum(axis=1) < u).sum(axis=1), n_classes - 1)
    logs = [normalised(true + noise * rng.standard_normal(true.shape)) for noise in noises]
    return np.stack(logs), codes


def loss(logs, codes):
    """Return the mean loss of labels."""
    return -logs[np.arange(len(codes)), codes].mean()


@pytest.mark.parametrize("seed", range(5))
def test_a_pool_is_never_worse_than_its_worst_model_by_more_than_noise(seed):
    logs, codes = generated(seed)
    half = np.arange(len(codes)) < 200
    weights = pool_weights(logs[:, half], codes[half])
    assert (weights >= 0).all()
    for rows, noise in ((half, 0.01), (~half, 0.05)):
        losses = [loss(each[rows], codes[rows]) for each in logs]
        found = loss(pooled(logs[:, rows], weights), codes[rows])
        assert found <= max(losses)
        # On rows that chose the weights, and on others, it is about as good as the best.
        assert found <= min(losses) + noise


def test_a_model_that_knows_nothing_does_no_harm():
    logs, codes = generated(0, noises=(0.5,))
    rng = np.random.default_rng(1)
    useless = normalised(rng.standard_normal(logs[0].shape))
    weights = pool_weights(np.stack([logs[0], useless]), codes)
    assert weights[1] < 0.4 * weights[0]
    right = np.stack([logs[0], useless])
    assert loss(pooled(right, weights), codes) < loss(logs[0], codes) + 0.03


def test_the_weights_are_where_the_likelihood_is_largest():
    logs, codes = generated(2)
    weights = pool_weights(logs, codes)
    # They are half-way to their mean.
    weights = 2 * weights - weights.mean()

    def value(w):
        return loss(pooled(logs, w), codes) + ((w - 1 / 3) ** 2).sum() / len(codes)

    rng = np.random.default_rng(0)
    for _ in range(20):
        other = np.maximum(weights + 0.05 * rng.standard_normal(3), 0)
        assert value(weights) <= value(other) + 1e-7


def test_probabilities_of_one_model_are_sharpened_and_flattened():
    logs, codes = generated(3, noises=(0.1,))
    sharp = np.exp(normalised(3 * logs[0]))
    assert loss(np.log(calibrated(sharp, codes)), codes) < loss(np.log(sharp), codes)
    told = log_probabilities(np.array([[0.0, 1.0], [np.nan, np.nan], [0.0, 0.0]]))
    np.testing.assert_allclose(np.exp(told).sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(told[1:]), 0.5)


def overlapping(shares, n_rows=20_000, seed=0):
    """Return probabilities of classes that overlap, true labels, and labels of a noise matrix."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((n_rows, len(shares)))
    P = np.exp(normalised(logits))
    drawn = rng.random((2, n_rows, 1))
    true = (P.cumsum(axis=1) > drawn[0]).argmax(axis=1)
    given = (np.cumsum(shares, axis=1)[true] > drawn[1]).argmax(axis=1)
    return P, true, given


@pytest.mark.parametrize("seed", range(3))
def test_the_noise_matrix_finds_which_class_is_taken_for_which(seed):
    shares = np.array([[0.9, 0.05, 0.05], [0.0, 0.7, 0.3], [0.02, 0.0, 0.98]])
    P, _, given = overlapping(shares, seed=seed)
    noise = noise_matrix(sure_counts(P @ shares, given))
    np.testing.assert_allclose(noise.sum(axis=1), 1)
    np.testing.assert_allclose(noise, shares, atol=0.04)
    # Though a third of the rows disagrees with their labels, for classes overlap.
    assert (P.argmax(axis=1) != given).mean() > 0.2
    # Without a count nothing is known; where no row is seen to err, one still may.
    np.testing.assert_allclose(noise_matrix(np.zeros((2, 2), dtype=int)), 0.5)
    assert (noise_matrix(np.diag([50, 50])) > 0).all()


def test_labels_that_were_drawn_tell_nothing():
    P, _, given = overlapping(np.eye(2), n_rows=400)
    assert labels_tell(sure_counts(P, given), given)
    rng = np.random.default_rng(0)
    drawn = [labels_tell(sure_counts(P, y), y) for y in rng.integers(0, 2, (200, 400))]
    assert np.mean(drawn) < 0.06


def test_classes_that_err_alike_share_their_counts():
    alike = noise_matrix(np.array([[88, 7, 5], [4, 90, 6], [3, 5, 92]]))
    assert np.ptp(np.diag(alike)) < 0.003
    apart = noise_matrix(np.array([[60, 40, 0], [0, 100, 0], [0, 0, 100]]))
    assert apart[0, 1] > 0.35
    assert apart[1, 0] < 0.05


def test_the_posterior_follows_bayes_on_probabilities_without_noise():
    shares = np.array([[0.9, 0.1], [0.4, 0.6]])
    true = np.array([[0.7, 0.3]])
    Q = true_probabilities(true @ shares, shares)
    # Most of the way from the labels' probabilities to the classes'.
    assert true[0, 0] <= Q[0, 0] < true[0, 0] + 0.3 * ((true @ shares) - true)[0, 0]
    q = label_posterior(true @ shares, np.array([1]), shares)
    assert q[0, 0] / q[0, 1] == pytest.approx(Q[0, 0] * 0.1 / (Q[0, 1] * 0.6))
    # Where labels say nothing of classes, nothing can be taken out of them.
    P = np.array([[0.8, 0.2]])
    np.testing.assert_allclose(true_probabilities(P, np.full((2, 2), 0.5)), P, atol=1e-3)
    # Where they say all, nothing has to be.
    np.testing.assert_allclose(true_probabilities(P, np.eye(2)), P, atol=1e-3)


def test_rows_that_overlap_are_not_called_wrong():
    P, true, given = overlapping(np.full((2, 2), 0.03) + 0.94 * np.eye(2))
    noise = noise_matrix(sure_counts(P, given))
    suggested = label_posterior(P, given, noise).argmax(axis=1)
    assert (suggested == true).mean() > (given == true).mean()
    assert 0.3 < (suggested != given).sum() / (true != given).sum() < 1.5


def test_regressors_are_pooled_without_wrong_targets():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(300)
    outside = np.column_stack([truth + s * rng.standard_normal(300) for s in (0.3, 0.3, 3.0)])
    y = truth + 0.1 * rng.standard_normal(300)
    clean = blend_weights(outside, y)
    assert clean.sum() == pytest.approx(1)
    assert (clean >= 0).all()
    assert clean[2] < 0.05
    np.testing.assert_allclose(clean[:2], 0.5, atol=0.1)
    y[:30] += 100
    np.testing.assert_allclose(blend_weights(outside, y), clean, atol=0.05)
    weights = robust_weights(outside @ clean, y)
    assert weights[:30].max() == 0
    assert weights[30:].mean() > 0.7
