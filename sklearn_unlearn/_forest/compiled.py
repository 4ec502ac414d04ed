"""The compiled part, imported where it is first needed: it needs numba.

numba keeps compiled functions in ``__pycache__`` and compiles one anew when the file that it stands
in is changed, not when another is that it calls: after a change of one file, remove what is kept.
"""

from importlib import import_module


def compiled(module):
    """Return a module of this package that is compiled with numba.

    Parameters
    ----------
    module : {"trees", "sklearn_tree"}
        Its name.

    Returns
    -------
    module
        The module.

    Raises
    ------
    ImportError
        If numba is not installed.
    """
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Forests that forget are compiled with numba, which is not installed. Install it: "
            "pip install 'sklearn-unlearn[forest]'."
        ) from error
    return import_module(f"sklearn_unlearn._forest.{module}")
