"""How vectorizers of text forget: by the number of documents that have each term."""

from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array

from sklearn_unlearn._inner.forgetting.changes import Change
from sklearn_unlearn._inner.forgetting.rules import Rule


@dataclass(frozen=True)
class Documents:
    """What is kept of documents.

    Parameters
    ----------
    n : int
        Their number.

    having : ndarray of int of shape (n_terms,)
        How many of them have each term.
    """

    n: int
    having: np.ndarray

    @classmethod
    def of(cls, Z):
        """Return what is kept of documents that are counted or weighted already."""
        # As scikit-learn counts: all entries that are stored, zeros among them.
        Z = sparse.csr_array(Z)
        return cls(Z.shape[0], np.bincount(Z.indices, minlength=Z.shape[1]))

    def without(self, part):
        """Return what is left without some of the documents."""
        return Documents(self.n - part.n, self.having - part.having)


def _left(step, removed, kept, remaining, counted):
    """Return what is left of the documents."""
    if kept is None:
        return Documents.of(counted(remaining()))
    return kept.without(Documents.of(counted(removed)))


def _selects(vectorizer):
    """Tell whether a term can only leave, not come back, when documents leave."""
    return (
        isinstance(vectorizer.min_df, (int, np.integer))
        and isinstance(vectorizer.max_df, float)
        and vectorizer.max_df == 1.0
        and vectorizer.max_features is None
    )


def _without_terms(vectorizer, removed, kept, remaining):
    """Return a CountVectorizer without the terms that too few documents have."""
    if vectorizer.fixed_vocabulary_:
        return vectorizer, None
    if not _selects(vectorizer):
        return None
    left = _left(vectorizer, removed, kept, remaining, vectorizer.transform)
    stays = left.having >= max(1, vectorizer.min_df)
    if stays.all():
        return vectorizer, left
    if not stays.any():
        return None
    new = copy(vectorizer)
    new.vocabulary_ = _renumbered(vectorizer.vocabulary_, stays)
    return new, Documents(left.n, left.having[stays])


def _renumbered(vocabulary, stays):
    """Return a vocabulary of those terms that stay."""
    numbers = np.cumsum(stays) - 1
    return {term: int(numbers[place]) for term, place in vocabulary.items() if stays[place]}


def _term_change(old, new, kept, change):
    """Return which terms stay; None if some documents still have one that left."""
    if not change.is_same or not _selects(old) or old.min_df > 1:
        return None
    return Change(kept=_places(old, new))


def _places(old, new):
    """Return the old numbers of the terms of a new vocabulary."""
    places = np.empty(len(new.vocabulary_), dtype=int)
    for term, place in new.vocabulary_.items():
        places[place] = old.vocabulary_[term]
    return places


def _inverse(documents, step):
    """Return the inverse document frequencies, as scikit-learn's documentation has them."""
    smooth = int(step.smooth_idf)
    return np.log((documents.n + smooth) / (documents.having + float(smooth))) + 1.0


def _reweighted(transformer, removed, kept, remaining):
    """Return a TfidfTransformer without some documents."""
    if not transformer.use_idf:
        return transformer, None
    left = _left(transformer, removed, kept, remaining, _as_counts)
    return _with_documents(transformer, left)


def _as_counts(X):
    """Return counts as a sparse matrix."""
    return check_array(X, accept_sparse="csr")


def _with_documents(transformer, left):
    """Return a TfidfTransformer of other documents, None if a weight would be infinite."""
    if transformer.idf_.dtype != np.float64 or (
        not transformer.smooth_idf and not left.having.all()
    ):
        return None
    new = copy(transformer)
    new.idf_ = _inverse(left, transformer)
    new.n_features_in_ = len(left.having)
    return new, left


def _moved(transformer, kept, change):
    """Return a TfidfTransformer of fewer terms."""
    if change.scale is not None or change.shift is not None or change.fill is not None:
        return None
    if not transformer.use_idf:
        return None
    return _with_documents(transformer, Documents(kept.n, kept.having[change.kept]))


def _without_documents(vectorizer, removed, kept, remaining):
    """Return a TfidfVectorizer without some documents."""
    if not vectorizer.use_idf or vectorizer.dtype != np.float64:
        return None
    if not vectorizer.fixed_vocabulary_ and not _selects(vectorizer):
        return None
    left = _left(vectorizer, removed, kept, remaining, vectorizer.transform)
    least = 0 if vectorizer.fixed_vocabulary_ else max(1, vectorizer.min_df)
    stays = left.having >= least
    if not stays.any() or (not vectorizer.smooth_idf and not left.having[stays].all()):
        return None
    left = Documents(left.n, left.having[stays])
    new = clone(vectorizer)
    new.vocabulary_ = _renumbered(vectorizer.vocabulary_, stays)
    new.fixed_vocabulary_ = vectorizer.fixed_vocabulary_
    new.idf_ = _inverse(left, vectorizer)
    return new, left


COUNTS = Rule(_without_terms, _term_change)
TFIDF = Rule(_reweighted, moved=_moved, keeps=True)
TFIDF_TEXT = Rule(_without_documents)
