"""Ranking metrics, one value per listener, and what a set of lists is like as a whole. Pure functions over arrays.

Every metric lies between 0 and 1 but novelty, which is in bits. Only listeners with something to find are measured.
"""

from dataclasses import dataclass

import numpy as np

_RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Ranked:
    """How one list did: share of the truth found, and how far up."""

    recall: float
    ndcg: float
    average_precision: float


def discounts(k: int) -> np.ndarray:
    """What a hit at each place is worth: 1 at the first, 1/log2(place + 1) at the others."""
    return 1.0 / np.log2(np.arange(k) + 2.0)


def ranked(chosen: np.ndarray, truth: np.ndarray, k: int) -> Ranked:
    """Recall@k, NDCG@k and average precision@k of one list; `truth` must not be empty. The best possible list scores 1."""
    hits = np.isin(chosen[:k], truth)
    most = min(len(truth), k)
    ndcg = (hits * discounts(len(hits))).sum() / discounts(most).sum()
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return Ranked(float(hits.sum() / len(truth)), float(ndcg), float((precision * hits).sum() / most))


def coverage(lists: list[np.ndarray], catalogue: int) -> float:
    """Share of the catalogue that is in at least one list."""
    return len(np.unique(np.concatenate(lists))) / max(catalogue, 1) if lists else 0.0


def novelty(lists: list[np.ndarray], listeners: np.ndarray, users: int) -> float:
    """Mean surprise of a recommended track, -log2 of the share of the users who know it; unknown to all counts as to one."""
    recommended = np.concatenate(lists) if lists else np.array([], dtype=np.int64)
    if len(recommended) == 0 or users == 0:
        return 0.0
    shares = np.maximum(listeners[recommended], 1.0) / users
    return float(-np.log2(np.minimum(shares, 1.0)).mean())


def diversity(lists: list[np.ndarray], vectors: np.ndarray) -> float:
    """Mean over the lists of 1 - the mean cosine between two of a list's tracks; 0 for lists of one and the same."""
    found = [_spread(vectors[tracks]) for tracks in lists if len(tracks) > 1]
    return float(np.mean(found)) if found else 0.0


def interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean: from what listeners like these would have given."""
    if len(values) == 0:
        return 0.0, 0.0
    draws = np.random.default_rng(seed).integers(0, len(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), _INTERVAL)
    return float(low), float(high)


def _spread(vectors: np.ndarray) -> float:
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    count = len(unit)
    alike = (unit.sum(axis=0) ** 2).sum() - (unit**2).sum()
    return 1.0 - float(alike) / (count * (count - 1))
