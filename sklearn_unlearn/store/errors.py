"""What can be wrong with a store."""


class StoreError(Exception):
    """A store is not what its ledger says, is another's, or can't be used here."""
