"""scikit-learn's callbacks where the installed release has them, else their empty shape."""

from contextlib import contextmanager, nullcontext


class _NoContext:
    """A task that nobody watches."""

    def subcontext(self, *args, **kwargs):
        return self

    def propagate_callback_context(self, estimator):
        return nullcontext()

    def call_on_fit_task_begin(self, **kwargs):
        return self

    def call_on_fit_task_end(self, **kwargs):
        return False


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for the mixin of scikit-learn releases without callbacks."""

        def _init_callback_context(self, *args, **kwargs):
            return _NoContext()

    def with_callbacks(method):
        """Return the method as it is: there is no callback to tear down."""
        return method


def watched(estimator, task_name):
    """Return the task of a request: one that nobody watches, if the estimator has no callbacks."""
    if not getattr(estimator, "_skl_callbacks", None):
        return _NoContext()
    return estimator._init_callback_context(task_name=task_name, max_subtasks=None)


def passes(estimator, context):
    """Return what is to be called before every pass over the rows that a request makes."""

    def pass_begins():
        task = context.subcontext("pass over the rows")
        task.call_on_fit_task_begin(estimator=estimator)
        task.call_on_fit_task_end(estimator=estimator)

    return pass_begins


class Progress:
    """A task of an estimator, which its callbacks watch.

    Parameters
    ----------
    estimator : estimator, default=None
        Whose task it is.

    context : CallbackContext, default=None
        The task as callbacks see it. By default one that nobody watches.
    """

    def __init__(self, estimator=None, context=None):
        self.estimator = estimator
        self.context = _NoContext() if context is None else context

    @contextmanager
    def task(self, name, n_subtasks=0):
        """Begin a subtask, and end it with the block.

        Parameters
        ----------
        name : str
            What is done.

        n_subtasks : int, default=0
            Largest number of subtasks of its own.

        Yields
        ------
        Progress
            The subtask.
        """
        context = self.context.subcontext(name, max_subtasks=n_subtasks)
        context.call_on_fit_task_begin(estimator=self.estimator)
        yield Progress(self.estimator, context)
        # A callback may ask to stop here. It is not heard: half a training would be neither
        # the old model nor the new one.
        context.call_on_fit_task_end(estimator=self.estimator)


__all__ = ["CallbackSupportMixin", "Progress", "passes", "watched", "with_callbacks"]
