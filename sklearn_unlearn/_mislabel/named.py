"""Parameters of models in a list of (name, estimator), as in VotingClassifier."""


class NamedModelsMixin:
    """Read and set them as ``<list>__<name>`` and ``<list>__<name>__<parameter>``.

    A class says by ``_models`` which of its parameters may be such a list.
    """

    def get_params(self, deep=True):
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            True for those of the models too.

        Returns
        -------
        dict
            Values by name.
        """
        found = super().get_params(deep=deep)
        for name, model in _named(found[self._models]).items() if deep else ():
            name = f"{self._models}__{name}"
            found[name] = model
            found |= {f"{name}__{part}": value for part, value in model.get_params().items()}
        return found

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name; ``<list>__<name>`` puts another model in the place of one.

        Returns
        -------
        self : object
            The same estimator.

        Raises
        ------
        ValueError
            If there is no such parameter or model.
        """
        prefix = f"{self._models}__"
        inner = {key: value for key, value in params.items() if key.startswith(prefix)}
        # A new list comes first, then what is in it.
        super().set_params(**{key: params[key] for key in params if key not in inner})
        given = getattr(self, self._models)
        models = _named(given)
        if not models:
            return super().set_params(**inner)
        # The name of a model sorts before those of its parameters.
        for key in sorted(inner):
            name, _, part = key.removeprefix(prefix).partition("__")
            if name not in models:
                raise ValueError(
                    f"{key!r} is no parameter: {self._models} has the models {list(models)}."
                )
            if part:
                models[name].set_params(**{part: inner[key]})
            else:
                models[name] = inner[key]
        if any(key.removeprefix(prefix) in models for key in inner):
            setattr(self, self._models, type(given)(models.items()))
        return self


def _named(models):
    """Return the models of a list by name; none if it is no list of pairs."""
    pairs = isinstance(models, (list, tuple)) and all(
        isinstance(item, (list, tuple)) and len(item) == 2 and hasattr(item[1], "get_params")
        for item in models
    )
    return dict(models) if pairs else {}
