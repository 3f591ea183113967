"""What every interval and every smallest visible effect promises: one coverage, one power."""

COVERAGE = 0.95  # of an interval around an effect, two-sided
POWER = 0.8  # with which the smallest visible effect is called
Z_COVERAGE = 1.95996  # standard normal quantile of that coverage, two-sided
Z_POWER = 0.8416  # standard normal quantile of that power
