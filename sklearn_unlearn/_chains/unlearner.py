"""What the ensembles of chains share: plan, then sync."""

import warnings
from abc import abstractmethod
from copy import deepcopy
from dataclasses import replace
from numbers import Integral
from os import PathLike

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import validate_data

from sklearn_unlearn._chains.correcting import CorrectingMixin
from sklearn_unlearn._chains.ensembles import check_columns
from sklearn_unlearn._chains.members import merged, parted
from sklearn_unlearn._chains.pickling import dump
from sklearn_unlearn._chains.records import Records, checked_proba
from sklearn_unlearn._chains.sending import Reader
from sklearn_unlearn._chains.states import MemoryStates, files_of
from sklearn_unlearn._chains.stopping import learns_by_blocks
from sklearn_unlearn._chains.storing import StoredStatesMixin
from sklearn_unlearn._chains.sync import rows_to_train, sync
from sklearn_unlearn._chains.training import Recipe
from sklearn_unlearn._inner.callbacks import Progress, with_callbacks
from sklearn_unlearn._inner.declared import check_number, check_unchanged, warn_idle
from sklearn_unlearn._inner.inputs import learns_from_numbers
from sklearn_unlearn._inner.pipelines import last_step, out_of_reach
from sklearn_unlearn._inner.skorch import adapted, needs_two_rows
from sklearn_unlearn._inner.turns import serial
from sklearn_unlearn._records.exclusion import check_not_forgotten
from sklearn_unlearn._records.fingerprint import check_same_rows, guarded
from sklearn_unlearn._records.hashing import keyed_hash
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import RowParts, count_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._requests import Joining
from sklearn_unlearn.base import BaseUnlearner


class ChainedUnlearner(StoredStatesMixin, CorrectingMixin, BaseUnlearner):
    """Base class of the ensembles that forget exactly.

    A subclass says which groups a row belongs to (``_groups``), how the groups of a chain
    become its sequence (``_sequence``), what its model learns of them (``_targets_of``), and how
    the models become one (``_ensemble``). Whatever changes the rows, ``fit``, ``partial_fit``
    or ``partial_forget``, plans for the rows as they will be and syncs the chains.
    """

    _REPLACED = BaseUnlearner._REPLACED | {
        "_chains",
        "_members",
        "_inner_model",
        "_fit_settings",
        "_unwanted",
        "_places",
    }
    deals_by_ids = True
    __metadata_request__fit = {"X_ids": True, "exclude_ids": True, "forget_proba": True}
    __metadata_request__partial_fit = {"X_ids": True, "exclude_ids": True, "forget_proba": True}

    @abstractmethod
    def _check_params(self):
        """Raise for parameters that are invalid."""

    @abstractmethod
    def _new_ensemble(self):
        """Return the ensemble without its models."""

    @abstractmethod
    def _targets(self, y, labels):
        """Return targets as records hold them, and all labels, old ones first."""

    @abstractmethod
    def _groups(self, records, rows):
        """Return the chains that rows may belong to, and in which role: tag to role to rows.

        Every row has the role "own" in one chain.
        """

    @abstractmethod
    def _sequence(self, records, members, tag, gone=None):
        """Return the rows that a chain trains on, in order.

        If the change is that some rows are gone, and no others have come, these are given.
        """

    @abstractmethod
    def _classes(self, records):
        """Return the labels that a chain's model must know from the beginning, or None."""

    @abstractmethod
    def _targets_of(self, records, members):
        """Return a function of a tag and rows: their targets as the chain's model takes them."""

    @abstractmethod
    def _ensemble(self, records, members, chains):
        """Return the plain fitted model that the chains make up."""

    def _check_rows(self, X):
        """Raise for rows that training might come to later and then could not use."""

    def _check_enough(self, records, request):
        """Raise if there are too few classes, in ``fit`` or after a request."""
        if records.labels is None:
            return
        left = records.classes.tolist()
        if len(left) < 2 and request:
            gone = next(label for label in self._records.classes.tolist() if label != left[0])
            raise ValueError(
                f"The request would leave no row of class {gone!r}, and with class {left[0]!r} "
                "alone there is nothing to predict. Discard the model instead."
            )
        if len(left) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes; y has one class, {left[0]!r}."
            )

    def _check_chain_params(self):
        """Raise for invalid parameters that all ensembles have."""
        check_number(self, "block_size", Integral, 1)
        check_number(self, "n_epochs", Integral, 1)
        check_number(self, "n_checkpoints", Integral, 0)
        if self.checkpoint_dir is not None and not isinstance(self.checkpoint_dir, (str, PathLike)):
            raise TypeError(
                f"checkpoint_dir={self.checkpoint_dir!r} is no path. Pass the name of a directory."
            )

    def _idle_params(self, inner):
        """Return the names of parameters that can't act on an inner model."""
        # Without partial_fit a chain is one fit.
        return () if learns_by_blocks(inner) else ("n_epochs", "cumulative")

    @property
    def fitting_params(self):
        """Names of the parameters that act in ``fit`` alone."""
        return tuple(self.get_params(deep=False).keys() - {"n_jobs", "n_checkpoints"})

    @with_callbacks
    def fit(self, X, y, *, X_ids=None, exclude_ids=None, forget_proba=None):
        """Fit all chains.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, as the inner estimator takes them.

        y : array-like of shape (n_samples,)
            Targets.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the data subject that each row belongs to; a subject may own many rows.
            Any hashable values. By default the index of X if it is pandas, else the index
            of y if that is pandas, else the row positions. Ids decide the order of
            training: a fresh fit on remaining rows is bitwise equal if they keep their ids.

        exclude_ids : set, array-like or callable, default=None
            Ids whose rows are left out, such as those of subjects that asked to be forgotten
            before; ``n_rows_excluded_`` counts the rows. A callable gets the ids of all rows and
            returns a boolean for each, as ``has_asked`` of a store does. Needs ids of the rows.

        forget_proba : array-like of shape (n_samples,), default=None
            Probability, in [0, 1], that a row will have to be forgotten. Likely rows come
            last in their chain, where forgetting is cheap.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If a parameter or the input is invalid.

        TypeError
            If the inner model is of a kind that can't be trained here.
        """
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._train(X, y, X_ids, forget_proba, Progress(self, context))
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _train(self, X, y, X_ids, forget_proba, progress):
        """Fit all chains from the beginning."""
        self._check_params()
        n_rows = count_rows(X)
        ensemble = self._new_ensemble()
        if n_rows == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={np.shape(X)}) while a minimum of 1 is "
                f"required by {type(self).__name__}."
            )
        validate_data(ensemble, X, y, skip_check_array=True)
        check_consistent_length(X, y)
        key = int(check_random_state(self.random_state).randint(2**31 - 1))
        subjects = SubjectIndex(n_rows, X, y, X_ids)
        y, labels = self._targets(y, None)
        counts = None if labels is None else np.bincount(y, minlength=len(labels))
        hashes, proba = keyed_hash(subjects.keys, key), checked_proba(forget_proba, n_rows)
        X, fingerprint = guarded(X)
        records = Records(RowParts(X), y, labels, counts, hashes, proba)
        self._check_enough(records, request=False)
        self._check_rows(X)
        store = self._new_store()
        with self._left_on_failure(store):
            inner = _check_inner(self._inner())
            warn_idle(self, self._idle_params(inner), last_step(inner))
            started = {
                "_key": key,
                "_fingerprints": (fingerprint,),
                "_store": store,
                "_unwanted": frozenset(),
                "_places": (),
                "_fit_settings": self.get_params(deep=False),
                "_inner_model": inner,
                "_joins_last": needs_two_rows(inner),
                "_chains": {},
            }
            # A model of its own: if anything fails, this one is as it was.
            fresh = clone(self)
            fresh._start(ensemble, subjects, **started)
            groups = fresh._groups(records, np.arange(n_rows))
            members = merged({}, groups, records)
            attributes, _ = fresh._synced(records, members, set(members), progress)
        attributes |= self._emptied(store, attributes["_chains"])
        self._start(attributes.pop("estimator_"), subjects, **started | attributes)
        self._sweep()

    @with_callbacks
    def partial_fit(self, X, y, classes=None, *, X_ids=None, exclude_ids=None, forget_proba=None):
        """Add rows, new classes among them; as exact as forgetting.

        The model is bitwise what ``fit`` on all rows together would have given.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            New rows.

        y : array-like of shape (n_samples,)
            Their targets.

        classes : array-like of shape (n_classes,), default=None
            Not needed: classes are those of the rows. Present for scikit-learn's API.

        X_ids : array-like of shape (n_samples,), default=None
            Ids of the new rows, of the same kind as in ``fit``. A known id adds rows to
            its subject.

        exclude_ids : set, array-like or callable, default=None
            As in ``fit``.

        forget_proba : array-like of shape (n_samples,), default=None
            As in ``fit``; for all rows or for none.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If the input is invalid or does not go with the rows so far, or an id was forgotten, as
            receipts with salt tell: a model that was read from a file has none of these.

        Notes
        -----
        New rows take the places that their hashes give them: adding k rows costs about as
        much as forgetting k rows at random. Rows with a larger ``forget_proba`` than all
        others come last, where adding is as cheap as forgetting.
        """
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        if self.__sklearn_is_fitted__():
            self._join(X, y, X_ids, forget_proba, Progress(self, context))
        else:
            self._train(X, y, X_ids, forget_proba, Progress(self, context))
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _join(self, X, y, X_ids, forget_proba, progress):
        """Add rows to the fitted chains."""
        self._settle()
        self._check_unchanged()
        check_number(self, "n_checkpoints", Integral, 0)
        n_new, start = count_rows(X), len(self._records.hashes)
        keys = self._subjects.new_keys(n_new, X, y, X_ids)
        check_not_forgotten(keys, self.receipts_)
        check_columns(self.estimator_, X)
        check_consistent_length(X, y)
        self._check_rows(X)
        self._check_same_rows()
        X, fingerprint = guarded(X)
        y, labels = self._targets(y, self._records.labels)
        hashes, proba = keyed_hash(keys, self._key), checked_proba(forget_proba, n_new)
        records = self._records.extended(X, y, labels, hashes, proba)
        new = np.arange(start, start + n_new)
        members = self._members
        groups = self._groups(records, new)
        if any(tag not in members for tag in groups):
            # A new chain may train on old rows as well.
            alive = [roles["own"] for roles in members.values()]
            groups, members = self._groups(records, np.concatenate([*alive, new])), {}
        members = merged(members, groups, records)
        with self._swept_on_failure():
            attributes, _ = self._synced(records, members, set(groups), progress)
        attributes["_fingerprints"] = (*self._fingerprints, fingerprint)
        self._commit(attributes, owes=Joining(keys, start))
        self._sweep()

    def _forget(self, rows, context):
        check_number(self, "n_checkpoints", Integral, 0)
        self._check_same_rows()
        records, members, tags = self._without(rows)
        progress = Progress(self, context)
        with self._swept_on_failure():
            return self._synced(records, members, tags, progress, gone=rows)

    def _check_same_rows(self):
        """Raise if rows that still are the user's were changed."""
        for part, fingerprint in zip(self._records.X.parts, self._fingerprints, strict=True):
            check_same_rows(part, fingerprint)

    def _without(self, rows):
        """Return records, groups and touched chains without some rows."""
        left = self._n_rows - len(rows)
        if left == 0:
            raise ValueError(
                "The request would leave no row to train on; discard the model instead."
            )
        records = self._records.owned().without(rows)
        self._check_enough(records, request=True)
        groups = self._groups(self._records, rows)
        return records, parted(self._members, groups), set(groups)

    def _sequences(self, records, members, tags, gone=None):
        """Return the sequences of the chains that a change of rows or of labels reaches."""
        if self._chains and self._context(records) != self._context(self._records):
            tags = tags | set(members)
        nothing = np.empty(0, dtype=np.intp)
        return {
            tag: self._sequence(records, members, tag, gone) if tag in members else nothing
            for tag in sorted(tags)
        }

    def _context(self, records):
        """Return what the chains depend on besides their rows, as plain objects."""
        classes = self._classes(records)
        context = None if classes is None else (classes.dtype.str, *classes.tolist())
        return ("unnamed", context) if self._without_names(records) else context

    def _without_names(self, records):
        """Tell whether the rows of a frame are given as arrays, and the names once per chain."""
        return records.X.are_numbers and learns_from_numbers(self._inner_model)

    def _reader(self, records, members):
        """Return what reads rows and targets as the models take them."""
        take = records.X.take_numbers if self._without_names(records) else records.X.take
        return Reader(take, self._targets_of(records, members), records.X.file)

    def _recipe(self, records):
        """Return how the chains train; parameters are those at the time of ``fit``."""
        return Recipe(
            blank=dump(self._inner_model),
            incremental=learns_by_blocks(self._inner_model),
            block_size=self._fit_settings["block_size"],
            n_epochs=self._fit_settings["n_epochs"],
            cumulative=self._fit_settings.get("cumulative", False),
            joins_last=self._joins_last,
            key=self._key,
            classes=self._classes(records),
            names=self._names(records),
        )

    def _names(self, records):
        """Return the names that chains are told once, as scikit-learn knows them; or None."""
        told = self._without_names(records)
        return getattr(self.estimator_, "feature_names_in_", None) if told else None

    def _synced(self, records, members, tags, progress, gone=None, chains=None):
        """Return the attributes after a sync, and what the receipt says of it."""
        old, store = self._chains if chains is None else chains, self._store
        if store.take(files_of(old) | self._unwanted) is not None:
            # Whose the directory is now, and for how long it will be there, nobody knows.
            old = {
                tag: replace(chain, states=store.in_memory(chain.states))
                for tag, chain in old.items()
            }
        chains, n_rows, n_lost = sync(
            self._recipe(records),
            old,
            self._sequences(records, members, tags, gone),
            context=self._context(records),
            read=self._reader(records, members),
            store=store,
            n_checkpoints=self.n_checkpoints,
            weights=records.proba,
            n_jobs=self.n_jobs,
            progress=progress,
        )
        if n_lost:
            warnings.warn(
                f"{n_lost} saved state(s) in checkpoint_dir={str(self.checkpoint_dir)!r} were "
                "missing or damaged and not used; training restarted from earlier ones.",
                UserWarning,
                stacklevel=4,
            )
        attributes = {
            "estimator_": self._ensemble(records, members, chains),
            "_records": records,
            "_members": members,
            "_chains": chains,
            "_unwanted": (self._unwanted | files_of(self._chains)) - files_of(chains),
        }
        reason = "every chain is in step with the remaining rows"
        outcome = Outcome(
            guarantee="exact",
            n_rows_retrained=n_rows,
            stopped_because=f"{reason}; {n_lost} saved states were lost" if n_lost else reason,
            not_forgotten=tuple(out_of_reach(records.X, self._inner_model)),
        )
        return attributes, outcome

    @serial
    def expected_cost(self, X_ids):
        """Return how many rows a request would train on again, without making it.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,)
            Ids of the request.

        Returns
        -------
        int
            Number of rows; a row that several chains train on counts for each. The receipt
            of the request will say the same, unless saved states are lost in between.

        Raises
        ------
        KeyError
            If an id is unknown or forgotten already.

        ValueError
            If the request could not be made.
        """
        rows = self.rows_of(X_ids)
        check_unchanged(self, self._settings_of_fit)
        records, members, tags = self._without(rows)
        recipe, context = self._recipe(records), self._context(records)
        return sum(
            rows_to_train(recipe, self._chains.get(tag), sequence, context)
            for tag, sequence in self._sequences(records, members, tags, gone=rows).items()
        )

    @serial
    def __deepcopy__(self, memo):
        """Return a copy that keeps its states in memory: a directory belongs to one object."""
        state = self.__getstate__()
        if self.__sklearn_is_fitted__():
            chains = {
                tag: replace(chain, states=self._store.in_memory(chain.states))
                for tag, chain in self._chains.items()
            }
            state |= {
                "_chains": chains,
                "_store": MemoryStates(),
                "_unwanted": frozenset(),
                "_places": (),
            }
        other = memo[id(self)] = type(self).__new__(type(self))
        other.__setstate__(deepcopy(state, memo))
        return other

    @property
    def _model(self):
        return self.estimator_ if self.__sklearn_is_fitted__() else self._new_ensemble()

    @property
    def _n_rows(self):
        return sum(len(roles["own"]) for roles in self._members.values())

    def training_data(self, rows):
        records = self._records
        y = records.y[rows]
        y = y if records.labels is None else records.labels[y].astype(records.classes.dtype)
        proba = {} if records.proba is None else {"forget_proba": records.proba[rows]}
        return records.X.take(rows), y, proba

    def fresh(self):
        # A directory belongs to one model.
        return clone(self).set_params(checkpoint_dir=None)

    def trainable(self):
        # The ensemble is trained by its unlearner.
        return self.fresh()

    def _erase(self, rows):
        self._records.erase(rows)
        # All rows are private copies now.
        self._fingerprints = (None,) * len(self._fingerprints)
        self._sweep()
        self._name_what_is_left()


def _check_inner(inner):
    """Return a clone of the inner model, ready to be trained; refuse one that can't be."""
    last = last_step(inner)
    if isinstance(last, FrozenEstimator):
        raise TypeError(
            f"{type(last.estimator).__name__} is frozen, but exact forgetting needs to train it. "
            "Pass the estimator itself."
        )
    return adapted(clone(inner))
