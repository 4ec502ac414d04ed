"""
Performance after random rows are removed: is PUMA as it comes as good as a refit?

A tenth of the training rows of 18 tables leaves at random, in one request. Test loss before, after
a refit on the rows that remain, after PUMA with its default settings, with a tenth of the rows held
out for its criterion, and after naive removal; mean of five seeds.
"""

from common import options
from removal import study

if __name__ == "__main__":
    study("puma_random", "random", options(__doc__))
