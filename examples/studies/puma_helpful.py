"""
Performance after the most helpful rows are removed: does reweighting make up for them?

Those rows of 18 tables leave whose influence predicts the largest loss of performance, a tenth of
them in one request. Test loss before, after a refit on the rows that remain, after PUMA with its
default settings, with a tenth of the rows held out for its criterion, and after naive removal; mean
of five seeds.
"""

from common import options
from removal import study

if __name__ == "__main__":
    study("puma_helpful", "helpful", options(__doc__))
