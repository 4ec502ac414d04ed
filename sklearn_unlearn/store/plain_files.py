"""Plain models in skops' format: files from which no code of others can run."""

from sklearn_unlearn.store.errors import StoreError

# Types of this package are trusted as scikit-learn's and NumPy's are, and no others.
OURS = "sklearn_unlearn."


def dump(model, path):
    """Write a model; raise a StoreError if it could not be read again."""
    sio = _skops()
    sio.dump(model, path)
    odd = _foreign(sio, path)
    if odd:
        raise StoreError(
            f'format="skops" can\'t hold this model: {", ".join(odd)} would have to be trusted. '
            'Train with format="joblib".'
        )


def load(path):
    """Return the model of a file; raise a StoreError for types that nobody trusts."""
    sio = _skops()
    odd = _foreign(sio, path)
    if odd:
        raise StoreError(f"It holds types that are not trusted: {', '.join(odd)}.")
    return sio.load(path, trusted=sio.get_untrusted_types(file=path))


def _foreign(sio, path):
    """Return the types of a file that neither skops nor this package knows."""
    return [name for name in sio.get_untrusted_types(file=path) if not name.startswith(OURS)]


def _skops():
    try:
        import skops.io
    except ImportError as error:
        raise ImportError('format="skops" needs skops: pip install skops.') from error
    return skops.io
