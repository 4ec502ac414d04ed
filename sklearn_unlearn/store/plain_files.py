"""Plain models in skops' format: files from which no code of others can run."""

from sklearn_unlearn.store.errors import StoreError

# Types of this package are trusted as scikit-learn's and NumPy's are, and no others.
OURS = "sklearn_unlearn."


def dump(model, path):
    """Write a model; raise a StoreError if it could not be read again."""
    sio = _skops()
    sio.dump(model, path)
    odd = _foreign(sio.get_untrusted_types(file=path))
    if odd:
        raise StoreError(
            f'format="skops" can\'t hold this model: {", ".join(odd)} would have to be trusted. '
            'Train with format="joblib".'
        )


def load(raw):
    """Return the model of a file's bytes; raise a StoreError for types that nobody trusts."""
    sio = _skops()
    untrusted = sio.get_untrusted_types(data=raw)
    odd = _foreign(untrusted)
    if odd:
        raise StoreError(f"It holds types that are not trusted: {', '.join(odd)}.")
    return sio.loads(raw, trusted=untrusted)


def _foreign(untrusted):
    """Return those types that are not this package's."""
    return [name for name in untrusted if not name.startswith(OURS)]


def _skops():
    try:
        import skops.io
    except ImportError as error:
        raise ImportError('format="skops" needs skops: pip install skops.') from error
    return skops.io
