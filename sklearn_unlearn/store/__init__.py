"""Deletion requests in production: a store of models, its ledger and its command line."""

from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.model_store import ModelStore
from sklearn_unlearn.store.requests import Request

__all__ = ["ModelStore", "Request", "StoreError"]
