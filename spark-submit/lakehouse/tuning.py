"""Choosing the blend's weights: coordinate ascent of NDCG on held-out listening of a validation period.

Looked at are each listener's POOL best tracks of every part and what they went on to hear; that is all the memory it takes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lakehouse.metrics import discounts
from lakehouse.model import DEFAULT_WEIGHTS, PARTS, weight_vector
from lakehouse.promotion import LEAST_LISTENERS

POOL = 150
_GRID = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
_ROUNDS = 3
_SMALLEST_GAIN = 1e-6


@dataclass(frozen=True)
class Pool:
    """One listener's tracks to choose among: their parts, and which of them were heard. `truth` counts all that were."""

    parts: np.ndarray
    is_heard: np.ndarray
    truth: int


def pool_of(parts: np.ndarray, unknown: np.ndarray, heard: np.ndarray, truth: int) -> Pool:
    """`parts` by (part, candidate) of one listener; `unknown` and `heard` are places among the candidates."""
    chosen = [heard]
    for part in parts:
        values = part[unknown]
        most = min(POOL, len(unknown))
        chosen.append(unknown[np.argpartition(-values, most - 1)[:most]] if most else unknown)
    places = np.unique(np.concatenate(chosen)).astype(np.int64)
    return Pool(parts[:, places], np.isin(places, heard), truth)


def tuned_weights(pools: Iterable[Pool], k: int, least: int = LEAST_LISTENERS) -> dict[str, float]:
    """The weights with the highest mean NDCG@k over the pools; the default ones where fewer than `least` listeners heard something:
    of a few, one would choose the weights for everybody.

    A part that says nothing in any pool gets 0.
    """
    stack = _Stack.of([pool for pool in pools if pool.truth])
    if stack is None or len(stack.truth) < least:
        return dict(DEFAULT_WEIGHTS)
    weights = {name: DEFAULT_WEIGHTS[name] if stack.parts[:, index].any() else 0.0 for index, name in enumerate(PARTS)}
    best = stack.ndcg(weights, k)
    for _ in range(_ROUNDS):
        before = best
        for name in [name for name in PARTS if weights[name] or stack.parts[:, PARTS.index(name)].any()]:
            tried = [(stack.ndcg({**weights, name: value}, k), value) for value in _GRID]
            found, value = max(tried, key=lambda pair: pair[0])
            if found > best + _SMALLEST_GAIN:
                best, weights[name] = found, value
        if best <= before:
            break
    return weights


@dataclass(frozen=True)
class _Stack:
    """All pools as arrays, the shorter ones filled up with tracks that nobody would choose."""

    parts: np.ndarray
    is_heard: np.ndarray
    is_real: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, pools: list[Pool]) -> "_Stack | None":
        width = max((pool.parts.shape[1] for pool in pools), default=0)
        if width == 0:
            return None
        parts = np.zeros((len(pools), len(PARTS), width), dtype=np.float32)
        is_heard, is_real = np.zeros((len(pools), width), bool), np.zeros((len(pools), width), bool)
        for row, pool in enumerate(pools):
            size = pool.parts.shape[1]
            parts[row, :, :size], is_heard[row, :size], is_real[row, :size] = pool.parts, pool.is_heard, True
        return cls(parts, is_heard, is_real, np.array([pool.truth for pool in pools]))

    def ndcg(self, weights: dict[str, float], k: int) -> float:
        scores = np.einsum("p,npt->nt", weight_vector(weights), self.parts)
        scores[~self.is_real] = -np.inf
        k = min(k, scores.shape[1])
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
        hits = np.take_along_axis(self.is_heard, np.take_along_axis(top, order, 1), 1)
        ideal = np.cumsum(discounts(k))[np.minimum(self.truth, k) - 1]
        return float(((hits * discounts(k)).sum(axis=1) / ideal).mean())
