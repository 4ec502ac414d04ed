"""Models of a single class, for ensembles that train one model per class."""

from sklearn_unlearn.one_class.student import StudentTDensity

__all__ = ["HRNOneClass", "StudentTDensity"]


def __getattr__(name):
    # Its file needs torch and skorch, this package does not.
    if name == "HRNOneClass":
        from sklearn_unlearn.one_class.hrn import HRNOneClass

        return HRNOneClass
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
