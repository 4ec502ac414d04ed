"""The version of stored states."""

from sklearn_unlearn._version import __version__

# To be raised with every change after which a stored object can't be read any more; one that
# can still be read is brought up to date in __setstate__ of its class.
STATE_VERSION = 1


class VersionedStateMixin:
    """Objects whose pickles say which version of the state they hold."""

    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "_state_version": (STATE_VERSION, __version__)}

    def __setstate__(self, state):
        state = dict(state)
        found, release = state.pop("_state_version", (None, "an unknown release"))
        if found != STATE_VERSION:
            raise ValueError(
                f"This {type(self).__name__} was stored by sklearn_unlearn {release} with state "
                f"version {found}; sklearn_unlearn {__version__} reads version {STATE_VERSION}. "
                "Load it with the release that stored it, or fit it anew."
            )
        super().__setstate__(state)
