"""The recommender: five signals that are each a score of every track for a listener, blended by tuned weights.

taste    what implicit ALS makes of all they like
similar  EASE: what is liked together with what they like, over the tracks with most listeners
follows  what the people they follow like
artist   how much of their listening an artist has, times how much of an artist's listening goes to a track that new
genre    how much of their listening a genre has, times how fast a track wins new listeners in the data's last days

`Fit` is what all listeners together taught of tracks; it may be some weeks old. `learn` adds what is of the day, in one
reading of the shards; `Model.parts` scores a few listeners. This process holds some numbers for each track, ALS's factors of
them, a matrix of item_to_item.MOST_TRACKS squared (two while it is fitted, or reasons are given), one shard, and the scores of a block of listeners.
Scored are at most CANDIDATES tracks: the cost of a list does not grow with the catalogue.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from threadpoolctl import ThreadpoolController

from lakehouse.als import TrackFactors, fold_in
from lakehouse.item_to_item import Cover
from lakehouse.listeners import Listener, Tracks

PARTS = ("taste", "similar", "follows", "artist", "genre")
# What a model goes by that could not be tuned, because nothing was held out.
DEFAULT_WEIGHTS = {"taste": 0.5, "similar": 0.3, "follows": 0.1, "artist": 1.0, "genre": 0.2}

CANDIDATES = 50_000
# A listener won this many days ago counts half of one won on the last day.
TREND_HALF_LIFE_DAYS = 7.0
_SCORES_AT_ONCE = 4_000_000
# A deviation below this is rounding.
_FLAT = 1e-9
_BLAS = ThreadpoolController()


@dataclass(frozen=True)
class Crowd:
    """What all listeners together say of each track."""

    # How many like it.
    listeners: np.ndarray
    # Share of those who could still be won, weighted by their taste for its genre, that it won lately.
    trend: np.ndarray


@dataclass(frozen=True)
class Fit:
    """What is fitted to all listeners: ALS's factors of the tracks, and EASE's weights `likeness` between those it covers.

    A listener is folded into both when a list is made, so a fit serves listeners and listens that came after it. A track that
    came after it is found by the other parts.
    """

    factors: TrackFactors
    cover: Cover
    likeness: np.ndarray = field(repr=False)

    @cached_property
    def likeness_of(self) -> np.ndarray:
        """`likeness` by the track that is scored: what one track owes to all others lies together. As large again."""
        return np.ascontiguousarray(self.likeness.T)


@dataclass(frozen=True)
class Parts:
    """Scores by (part, listener, candidate), each part z-scored over the candidates: mean 0 and deviation 1, or 0 where it is
    everywhere the same. `scales`, by (part, listener), is what they were divided by, 1 where that would be 0."""

    values: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True)
class Model:
    """Everything a list is made of, but the listener."""

    tracks: Tracks
    fit: Fit
    crowd: Crowd
    until: float
    # Indexes of the tracks that can be recommended.
    candidates: np.ndarray
    newness: np.ndarray
    gram: np.ndarray = field(repr=False)
    # Row of each track of the fit's cover among the candidates.
    covered: np.ndarray = field(repr=False)

    def parts(self, listeners: list[Listener]) -> "Parts":
        """The scores of these listeners: parts * listeners * candidates * 4 bytes."""
        raw = np.zeros((len(PARTS), len(listeners), len(self.candidates)), dtype=np.float32)
        with one_core():
            raw[0] = self._taste(listeners)
            raw[1] = self._similar(listeners)
        for row, listener in enumerate(listeners):
            raw[2, row] = self._follows(listener)
            raw[3, row] = (artist_shares(listener, self.tracks)[self.tracks.artists] * self.newness)[self.candidates]
            raw[4, row] = (genre_shares(listener, self.tracks)[self.tracks.genres] * self.crowd.trend)[self.candidates]
        return z_scored(raw)

    def unknown(self, listener: Listener) -> np.ndarray:
        """Places among the candidates of what the listener does not know."""
        return np.flatnonzero(self.is_unknown(listener))

    def is_unknown(self, listener: Listener) -> np.ndarray:
        """Of each candidate, whether the listener does not know it."""
        is_unknown = np.ones(len(self.tracks.ids), dtype=bool)
        # A negative index is of a track that nobody could have learnt.
        is_unknown[listener.known[listener.known >= 0]] = False
        return is_unknown[self.candidates]

    @cached_property
    def popular(self) -> list[int]:
        """The tracks that can be recommended: those with most listeners first, then the newest."""
        listeners, released = self.crowd.listeners[self.candidates], self.tracks.released[self.candidates]
        return self.candidates[np.lexsort((self.candidates, -released, -listeners))].tolist()

    def has_genre(self, track: int) -> bool:
        return bool(self.tracks.genres[track] > 0)

    def block(self) -> int:
        """How many listeners' parts may be held at once."""
        return max(1, _SCORES_AT_ONCE // max(1, len(self.candidates)))

    def _taste(self, listeners: list[Listener]) -> np.ndarray:
        folded = [fold_in(self.fit.factors, self.gram, who.liked, who.ratings) for who in listeners]
        return np.array(folded, dtype=np.float32) @ self.fit.factors.rows[self.candidates].T

    def _similar(self, listeners: list[Listener]) -> np.ndarray:
        scores = np.zeros((len(listeners), len(self.candidates)), dtype=np.float32)
        rows = self.fit.cover.rows_of([who.liked for who in listeners], [who.ratings for who in listeners])
        scores[:, self.covered] = rows @ self.fit.likeness
        return scores

    def _follows(self, listener: Listener) -> np.ndarray:
        scores = np.zeros(len(self.tracks.ids), dtype=np.float32)
        scores[listener.followed] = listener.followed_ratings
        return scores[self.candidates]


def one_core():
    """A context in which BLAS takes one core: Spark, or a thread beside this one, has the others, and on products of this size
    threads of BLAS wait for one another, and burn a core in doing so. It holds for the whole process: who starts threads that enter
    it must be in it themselves until they have ended."""
    return _BLAS.limit(limits=1, user_api="blas")


def learn(shards: Iterable[list[Listener]], tracks: Tracks, fit: Fit, until: float, listeners_of: np.ndarray) -> Model:
    """One pass over the listeners; `until` is the day after the last one that is learnt from, `listeners_of` how many like
    each track."""
    won, exposed = np.zeros(len(tracks.ids)), np.zeros(tracks.genres.max(initial=0) + 1)
    reached = np.zeros(len(tracks.ids))
    for shard in shards:
        for who in shard:
            shares = genre_shares(who, tracks)
            exposed += shares
            reached[who.liked] += shares[tracks.genres[who.liked]]
            age = until - who.first_heard
            won[who.liked] += np.where(np.isnan(age), 0.0, 0.5 ** (age / TREND_HALF_LIFE_DAYS))
    crowd = Crowd(listeners_of, won / (exposed[tracks.genres] - reached + 1.0))
    candidates = _candidates(tracks, crowd, until, fit.cover.tracks)
    position = np.full(len(tracks.ids), -1)
    position[candidates] = np.arange(len(candidates))
    covered_places = position[fit.cover.tracks]
    return Model(
        tracks=tracks,
        fit=fit,
        crowd=crowd,
        until=until,
        candidates=candidates,
        newness=newness(tracks, until),
        gram=fit.factors.gram,
        covered=covered_places,
    )


def artist_shares(listener: Listener, tracks: Tracks) -> np.ndarray:
    """How much of the listener's listening each artist has; sums to 1, or to 0 for who likes nothing."""
    return _shares(listener, tracks.artists)


def genre_shares(listener: Listener, tracks: Tracks) -> np.ndarray:
    """The same for each genre."""
    return _shares(listener, tracks.genres)


def newness(tracks: Tracks, until: float) -> np.ndarray:
    """How much of an artist's listening goes to each of the tracks released before `until`; sums to 1 for each artist.

    The newest get most: the newest of n gets the square root of 1/n, the two newest together that of 2/n, and so on. Tracks
    of one day (or without a date) share alike.
    """
    out = np.flatnonzero(tracks.released < until)
    order = out[np.lexsort((-tracks.released[out], tracks.artists[out]))]
    artists, days = tracks.artists[order], tracks.released[order]
    _, first_of_artist, artist, size = np.unique(artists, return_index=True, return_inverse=True, return_counts=True)
    starts = (
        np.flatnonzero(np.r_[True, (artists[1:] != artists[:-1]) | (days[1:] != days[:-1])])
        if len(order)
        else np.array([], int)
    )
    lengths = np.diff(np.r_[starts, len(order)])
    before = np.repeat(starts, lengths) - first_of_artist[artist]
    alike = np.repeat(lengths, lengths)
    share = (np.sqrt((before + alike) / size[artist]) - np.sqrt(before / size[artist])) / alike
    found = np.zeros(len(tracks.ids))
    found[order] = share
    return found


def z_scored(raw: np.ndarray) -> Parts:
    """Scores z-scored in place."""
    if raw.shape[-1] == 0:
        return Parts(raw, np.ones(raw.shape[:-1], dtype=raw.dtype))
    raw -= raw.mean(axis=-1, keepdims=True)
    deviation = raw.std(axis=-1)
    is_flat = deviation <= _FLAT
    scales = np.where(is_flat, 1.0, deviation).astype(raw.dtype)
    raw /= scales[..., None]
    raw[is_flat] = 0.0
    return Parts(raw, scales)


def blended(parts: np.ndarray, weights: dict[str, float]) -> np.ndarray:
    """The weighted sum of the parts."""
    return np.tensordot(weight_vector(weights), parts, axes=1)


def weight_vector(weights: dict[str, float]) -> np.ndarray:
    return np.array([weights[name] for name in PARTS], dtype=np.float32)


def _shares(listener: Listener, groups: np.ndarray) -> np.ndarray:
    found = np.bincount(groups[listener.liked], weights=listener.affinities, minlength=int(groups.max(initial=0)) + 1)
    return found / max(found.sum(), 1e-12)


def _candidates(tracks: Tracks, crowd: Crowd, until: float, always: np.ndarray) -> np.ndarray:
    """The tracks that are out: those that win most listeners now, then those with most, then the newest, CANDIDATES of them
    and those in `always`. What somebody likes is out, whatever its date."""
    out = np.flatnonzero((tracks.released < until) | (crowd.listeners > 0))
    best_first = out[np.lexsort((-tracks.released[out], -crowd.listeners[out], -crowd.trend[out]))]
    return np.union1d(best_first[:CANDIDATES], always)
