"""One change of an object at a time."""

from functools import wraps
from threading import RLock


def serial(method):
    """Make a method of an unlearner wait for whatever else changes or stores the object."""

    @wraps(method)
    def in_turn(self, *args, **kwargs):
        # setdefault is one step: two threads that come first get the same lock.
        with vars(self).setdefault("_lock", RLock()):
            return method(self, *args, **kwargs)

    return in_turn
