"""scikit-learn's callbacks where the installed release has them, else their empty shape."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class _NoContext:
        """A task that nobody watches."""

        def subcontext(self, *args, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            return self

        def call_on_fit_task_end(self, **kwargs):
            return False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for the mixin of scikit-learn releases without callbacks."""

        def _init_callback_context(self, *args, **kwargs):
            return _NoContext()

    def with_callbacks(method):
        """Return the method as it is: there is no callback to tear down."""
        return method


__all__ = ["CallbackSupportMixin", "with_callbacks"]
