"""Which models are networks, known without torch."""

from sklearn.base import is_classifier, is_regressor
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_unlearn._inner.skorch import NetAdapter


def is_network(model):
    """Tell whether a model is a network that influence can be computed for."""
    return isinstance(model, (MLPClassifier, MLPRegressor, NetAdapter))


def check_network(model):
    """Raise if a network, fitted or not, cannot be unlearned.

    Raises
    ------
    ImportError
        If torch is missing.

    TypeError
        If the model is a net without targets.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Forgetting in {type(model).__name__} needs torch to differentiate it: "
            'pip install "sklearn-unlearn[torch]".'
        ) from error
    if isinstance(model, NetAdapter) and not (is_classifier(model) or is_regressor(model)):
        raise TypeError(
            f"{type(model.net).__name__} is neither a classifier nor a regressor. Use "
            "NeuralNetClassifier, NeuralNetBinaryClassifier or NeuralNetRegressor."
        )
