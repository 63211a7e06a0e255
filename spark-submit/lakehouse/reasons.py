"""Why a track is in a listener's list: the cause named is the largest of the parts its score is the sum of."""

from dataclasses import dataclass

import numpy as np

from lakehouse.als import shares_of
from lakehouse.listeners import Listener
from lakehouse.model import PARTS, Model

# A track is new for so long after its release.
NEW_FOR_DAYS = 60
# The parts that come from single tracks the listener played, and the others, in PARTS' order.
CAUSES = {"played": ("taste", "similar"), "follows": ("follows",), "artist": ("artist",), "genre": ("genre",)}
_CAUSE_NAMES = tuple(CAUSES)
# Of a track that is listed because hardly another is unheard: no part speaks for it.
_NO_CAUSE = "nothing"


@dataclass(frozen=True)
class Reason:
    """The reason's type and, for because_you_played, the track that was played."""

    type: str
    track: int | None = None


# Nothing but that the listener does not know the track.
NOT_HEARD_YET = Reason("not_heard_yet")


def causes_of(contributions: np.ndarray) -> list[str]:
    """The strongest cause of each track, `_NO_CAUSE` where none speaks for it; `contributions` by (part, track), weights included."""
    totals = np.array([contributions[[PARTS.index(part) for part in parts]].sum(axis=0) for parts in CAUSES.values()])
    strongest = zip(np.argmax(totals, axis=0), totals.max(axis=0), strict=True)
    return [_CAUSE_NAMES[index] if most > 0 else _NO_CAUSE for index, most in strongest]


def reasons_of(
    model: Model,
    weights: dict[str, float],
    who: Listener,
    chosen: np.ndarray,
    contributions: np.ndarray,
    scales: np.ndarray,
) -> list[Reason]:
    """One reason for each of `chosen` (indexes of tracks); `scales` are the listener's, see model.Parts."""
    causes = causes_of(contributions)
    of_played = np.flatnonzero([cause == "played" for cause in causes])
    seeds = dict(zip(of_played, _strongest_seeds(model, weights, who, chosen[of_played], scales), strict=True))
    return [
        _reason(model, cause, track, seeds.get(n)) for n, (cause, track) in enumerate(zip(causes, chosen, strict=True))
    ]


def _reason(model: Model, cause: str, track: int, seed: int | None) -> Reason:
    if cause == _NO_CAUSE:
        return NOT_HEARD_YET
    if cause == "played":
        return Reason("because_you_played", seed) if seed is not None else Reason("similar_listeners")
    if cause == "follows":
        return Reason("people_you_follow")
    if cause == "artist":
        is_new = model.until - model.tracks.released[track] <= NEW_FOR_DAYS
        return Reason("new_from_artist" if is_new else "artist_you_play")
    return Reason("trending_in_genre" if model.has_genre(track) else "trending")


def _strongest_seeds(
    model: Model, weights: dict[str, float], who: Listener, chosen: np.ndarray, scales: np.ndarray
) -> list[int | None]:
    """The liked track to which each of `chosen` owes most of its taste and similar parts; None where it owes them to none.

    Both parts are sums over the liked tracks (see als.shares_of and item_to_item.ease), on the scale they were blended in.
    """
    if len(who.liked) == 0 or len(chosen) == 0:
        return [None] * len(chosen)
    shares = shares_of(model.fit.factors, model.gram, who.liked, who.ratings)
    by_taste = model.fit.factors.rows[chosen].astype(np.float64) @ shares.T
    by_likeness = _likeness(model, who, chosen)
    scale = dict(zip(PARTS, scales, strict=True))
    owed = weights["taste"] * by_taste / scale["taste"] + weights["similar"] * by_likeness / scale["similar"]
    best = np.argmax(owed, axis=1)
    return [int(who.liked[seed]) if owed[row, seed] > 0 else None for row, seed in enumerate(best)]


def _likeness(model: Model, who: Listener, chosen: np.ndarray) -> np.ndarray:
    found = np.zeros((len(chosen), len(who.liked)))
    place = model.fit.cover.place
    rows, columns = place[who.liked], place[chosen]
    known, target = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
    if len(known) and len(target):
        owed = model.fit.likeness_of[columns[target]][:, rows[known]]
        found[np.ix_(target, known)] = owed * who.ratings[known]
    return found
