"""The probabilities that rules decide by. Pure, and exact where a table would do: no library is needed for two distributions."""

from __future__ import annotations

import math
from typing import Final

# A sum ends when its next term adds less than this share.
_NEGLIGIBLE: Final = 1e-9
# The size of a negative binomial distribution that cannot be distinguished from a Poisson one.
POISSON: Final = 1_000.0
_SMALLEST: Final = 0.05


def at_least(count: int, mean: float, size: float = POISSON) -> float:
    """The probability of `count` or more under a negative binomial distribution with this mean and size: its upper tail.

    The variance is mean + mean² / size. 1.0 for counts up to the mean, where the tail is of no interest.
    """
    if count <= mean or count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    share = mean / (size + mean)
    logarithm = math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
    term = math.exp(logarithm + size * math.log1p(-share) + count * math.log(share))
    total, number = term, count
    while term > total * _NEGLIGIBLE:
        term *= (number + size) / (number + 1) * share
        total, number = total + term, number + 1
    return min(total, 1.0)


def size_of(mean: float, variance: float) -> float:
    """The size of the negative binomial distribution with this mean and variance; POISSON if the variance is not larger."""
    return min(max(mean * mean / (variance - mean), _SMALLEST), POISSON) if variance > mean > 0 else POISSON


def unseen(once: int, all: int) -> float:
    """The probability that the next observation is of a kind never seen before, estimated by Good and Turing: the share of kinds
    that were seen only once. Half an observation is added, so that a short history promises nothing."""
    return (once + 0.5) / (all + 1)
