"""How good a model is on listening it has not seen: the candidate, what anybody could do without it, and what is served.

Truth of a listener are the tracks they heard, and did not skip, in the days held out and never before; what they knew is not
recommended, so that it cannot be found. Memory: the parts of one block of listeners, and their lists.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lakehouse import metrics
from lakehouse.item_to_item import Cover, Together, cosine
from lakehouse.listeners import Listener
from lakehouse.model import Model, blended, genre_shares
from lakehouse.ranking import best_of, highest
from lakehouse.tuning import Pool, pool_of

# A listener's truth by user id: indexes of tracks.
Truth = dict[str, np.ndarray]


@dataclass(frozen=True)
class Measures:
    """One model's result: a value per listener, and its lists."""

    ranked: list[metrics.Ranked]
    lists: list[np.ndarray]

    @property
    def ndcg(self) -> np.ndarray:
        return np.array([one.ndcg for one in self.ranked])


def pools(model: Model, shards: Iterable[list[Listener]], truth: Truth) -> Iterator[Pool]:
    """What tuned_weights chooses by: a pool for each listener with a truth."""
    for listeners, parts in _blocks(model, shards, truth):
        for row, who in enumerate(listeners):
            places = model.unknown(who)
            heard = np.flatnonzero(np.isin(model.candidates, truth[who.id]))
            yield pool_of(parts[:, row], places, np.intersect1d(heard, places), len(truth[who.id]))


def measure(
    model: Model,
    weights: dict[str, float],
    shards: Iterable[list[Listener]],
    truth: Truth,
    k: int,
    oracle: dict[str, np.ndarray] | None = None,
    is_varied: bool = True,
) -> dict[str, Measures]:
    """The candidate's lists and the baselines', by name, for every listener with a truth.

    popularity and trending are the same list for everyone but for what each knows; genre_popularity goes by the listener's
    genres; item_knn by cosine. `oracle` gives each user's true chance of every track: what could be achieved at best.
    """
    listed = list(shards)
    nearest = _Nearest(model, listed)
    popular = highest(model.crowd.listeners[model.candidates], len(model.candidates))
    rising = highest(model.crowd.trend[model.candidates], len(model.candidates))
    found: dict[str, list[np.ndarray]] = {}
    users: list[Listener] = []
    total = np.zeros(len(model.candidates))
    for listeners, parts in _blocks(model, listed, truth):
        scores = blended(parts, weights)
        total += scores.sum(axis=0)
        near = nearest.scores(listeners)
        for row, who in enumerate(listeners):
            users.append(who)
            unknown = model.unknown(who)
            found.setdefault("popularity", []).append(_first(model, popular, who, k))
            found.setdefault("trending", []).append(_first(model, rising, who, k))
            for name, values in _rivals(model, who, near[row], oracle):
                found.setdefault(name, []).append(_top(model, values, unknown, k))
            mine = _scores_of(model, who, scores[row])
            found.setdefault("candidate", []).append(_served_list(model, mine, unknown, k, is_varied))
    if users:
        # What the candidate would tell everybody: its mean score of each track.
        everyone = highest(total / len(users), len(total))
        found["same_for_all"] = [_first(model, everyone, who, k) for who in users]
    return {
        name: Measures([metrics.ranked(mine, truth[who.id], k) for mine, who in zip(lists, users, strict=True)], lists)
        for name, lists in found.items()
    }


def ranking_of(
    model: Model, weights: dict[str, float], shards: Iterable[list[Listener]], k: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Everybody's id, best k unknown tracks (indexes), and their scores."""
    for listeners, parts in _blocks(model, shards, None):
        scores = blended(parts, weights)
        for row, who in enumerate(listeners):
            unknown = model.unknown(who)
            mine = _scores_of(model, who, scores[row])
            places = unknown[highest(mine[unknown], k)]
            yield who.id, model.candidates[places], mine[places]


def summary(measures: Measures, model: Model, k: int, users: int) -> dict:
    """The means as the result document has them."""
    ndcg_low, ndcg_high = metrics.interval(measures.ndcg, seed=1)
    mean = {
        "recall": [one.recall for one in measures.ranked],
        "ndcg": [one.ndcg for one in measures.ranked],
        "map": [one.average_precision for one in measures.ranked],
    }
    return {
        **{name: _rounded(np.mean(values)) if values else 0.0 for name, values in mean.items()},
        "ndcgLow": _rounded(ndcg_low),
        "ndcgHigh": _rounded(ndcg_high),
        "coverage": _rounded(metrics.coverage(measures.lists, len(model.candidates))),
        "novelty": _rounded(metrics.novelty(measures.lists, model.crowd.listeners, users)),
        "diversity": _rounded(metrics.diversity(measures.lists, model.fit.factors.rows)),
    }


def against(candidate: Measures, baseline: Measures) -> dict:
    """The interval of the difference in NDCG, listener by listener."""
    low, high = metrics.interval(candidate.ndcg - baseline.ndcg, seed=2)
    return {"differenceLow": _rounded(low), "differenceHigh": _rounded(high)}


def _blocks(
    model: Model, shards: Iterable[list[Listener]], truth: Truth | None
) -> Iterator[tuple[list[Listener], np.ndarray]]:
    size = model.block()
    for shard in shards:
        judged = shard if truth is None else [who for who in shard if who.id in truth]
        for start in range(0, len(judged), size):
            part = judged[start : start + size]
            yield part, model.parts(part).values


class _Nearest:
    """The item-kNN of the baseline, made of the same listeners as the candidate's."""

    def __init__(self, model: Model, shards: list[list[Listener]]):
        self._cover = Cover.most_liked(model.crowd.listeners)
        self._near = cosine(Together.of(shards, self._cover))
        self._of_candidate = self._cover.place[model.candidates]

    def scores(self, listeners: list[Listener]) -> np.ndarray:
        """How near each candidate is to all that each listener likes; 0 for those it does not cover."""
        liked = self._cover.rows_of([who.liked for who in listeners], [np.ones_like(who.ratings) for who in listeners])
        near = np.pad(liked @ self._near, ((0, 0), (0, 1)))
        return near[:, self._of_candidate]


def _rivals(
    model: Model, who: Listener, near: np.ndarray, oracle: dict[str, np.ndarray] | None
) -> Iterator[tuple[str, np.ndarray]]:
    """What others would score for this listener."""
    listeners = model.crowd.listeners[model.candidates]
    yield "genre_popularity", listeners * genre_shares(who, model.tracks)[model.tracks.genres[model.candidates]]
    yield "item_knn", near
    if oracle is not None:
        yield "oracle", oracle[who.id][model.candidates]


def _scores_of(model: Model, who: Listener, scores: np.ndarray) -> np.ndarray:
    """The blend's scores; of somebody of whom nothing is known, how many listeners each track has."""
    has_taste = len(who.liked) > 0 or len(who.followed) > 0
    return scores if has_taste else model.crowd.listeners[model.candidates]


def _first(model: Model, order: np.ndarray, who: Listener, k: int) -> np.ndarray:
    """The first k of one order for everybody that the listener does not know; `order` are places among the candidates."""
    # Among so many there are k unknown ones.
    head = order[: k + len(who.known)]
    return model.candidates[head[model.is_unknown(who)[head]][:k]]


def _top(model: Model, scores: np.ndarray, unknown: np.ndarray, k: int) -> np.ndarray:
    return model.candidates[unknown[highest(scores[unknown], k)]]


def _served_list(model: Model, scores: np.ndarray, unknown: np.ndarray, k: int, is_varied: bool) -> np.ndarray:
    """The list as it would be served, artists varied."""
    if not is_varied:
        return _top(model, scores, unknown, k)
    artists = model.tracks.artists[model.candidates[unknown]]
    return model.candidates[unknown[best_of(scores[unknown], artists, k)]]


def _rounded(value: float) -> float:
    return round(float(value), 6)
