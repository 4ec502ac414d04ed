"""Where an ensemble saves the states of its chains, and how it gets rid of them."""

import warnings
from contextlib import contextmanager
from dataclasses import replace

from sklearn_unlearn._chains.states import DirectoryStates, MemoryStates, files_of, new_owner


class StoredStatesMixin:
    """Saved states that are part of no chain any more are removed, or named as left.

    A subclass has a parameter ``checkpoint_dir``, and when it is fitted ``_store`` and ``_chains``;
    ``_unwanted`` are files that could not be removed, ``_places`` directories not left yet.
    """

    def _new_store(self):
        """Return where the states of a new fit are saved; a directory is then this object's own."""
        if self.checkpoint_dir is None:
            return MemoryStates()
        store, old = DirectoryStates(self.checkpoint_dir, new_owner()), vars(self).get("_store")
        if isinstance(old, DirectoryStates) and old.directory == store.directory:
            store = old
        store.claim()
        return store

    def _emptied(self, store, chains):
        """Return the attributes that say what a new fit makes superfluous."""
        if not self.__sklearn_is_fitted__():
            return {}
        old, unwanted = self._store, self._unwanted | files_of(self._chains)
        if old is store:
            return {"_unwanted": unwanted - files_of(chains), "_places": self._places}
        return {"_places": (*self._places, old)}

    def _sweep(self):
        """Remove the files of states that are not part of a chain, as far as that is possible."""
        kept = files_of(self._chains)
        self._store.take(kept | self._unwanted)
        self._unwanted = self._store.sweep(kept, self._unwanted)
        if self._places:
            self._places = tuple(place for place in self._places if not place.leave())

    def _settle(self):
        super()._settle()
        if vars(self).get("_unwanted") or vars(self).get("_places"):
            self._sweep()

    @contextmanager
    def _swept_on_failure(self):
        """Remove what was written if the block fails."""
        try:
            yield
        except BaseException:
            self._store.sweep(files_of(self._chains))
            raise

    @contextmanager
    def _left_on_failure(self, store):
        """Remove what was written if a fit fails, and leave a directory that was new to it."""
        try:
            yield
        except BaseException:
            if store is vars(self).get("_store"):
                store.sweep(files_of(self._chains))
            else:
                store.leave()
            raise

    def _name_what_is_left(self):
        """Write into the last receipt, and warn, if files that saw forgotten rows are left."""
        left = [self._store] if self._unwanted else []
        names = tuple(
            f"saved states in checkpoint_dir={str(place.directory)!r}"
            for place in (*left, *self._places)
        )
        receipt = self.receipts_[-1]
        new = tuple(name for name in names if name not in receipt.not_forgotten)
        if not new:
            return
        receipt = replace(receipt, not_forgotten=(*receipt.not_forgotten, *new))
        self.receipts_ = [*self.receipts_[:-1], receipt]
        warnings.warn(
            f"The model has forgotten, but {' and '.join(new)} could not be removed and may have "
            "seen the rows. This is tried again at the next request. Make sure that the directory "
            "is there, can be written to, and is used by no other copy of the model; an empty one "
            "at its place says that the files are gone.",
            UserWarning,
            stacklevel=2,
        )
