"""The fit that serves for some weeks: kept beside the tables by the refresh that made it, used by those that follow.

To fit anew for every new week costs most of a refresh and changes little: a listener's new listens count from the next refresh
on, for they are folded in. A kept fit serves until the next block of weeks is over (lakehouse/blocks.py), when other costly
things are made anew, but not for more than KEPT_DAYS, or KEPT_SHARE of the time it was learnt from; and not before the days
that models are judged by are all later than it: it would be judged by what it learnt from. Where refreshes are more frequent
than that, it waits. It is no good any more

- where a week that was over when it was made has changed since: it may have learnt what was mended, or who was forgotten;
- for another build, or where a refresh is to make everything anew.

`_model/fit.npz` in the lake's bucket holds it; it names tracks, and no user. Writing it again changes nothing. A file that is cut
off is none.
"""

import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from lakehouse.als import AlsSettings, TrackFactors
from lakehouse.delta_log import changes_between
from lakehouse.events_refresh import EVENTS
from lakehouse.files import read_bytes, remove_folder, write_bytes
from lakehouse.held_out import Split
from lakehouse.incremental import WEEK, Build, to_weeks
from lakehouse.item_to_item import Cover
from lakehouse.model import Fit

KEPT_DAYS = 28
KEPT_SHARE = 0.1


@dataclass(frozen=True)
class KeptFit:
    """A fit of the tracks `track_ids`, which ascend, the weights tuned for it, the days it was learnt from (`until` is the first
    that was not), the end of the last block that was over then, and of which version of silver's events and by which build it was
    made."""

    fit: Fit = field(repr=False)
    track_ids: np.ndarray = field(repr=False, compare=False)
    weights: dict[str, float]
    first: date
    until: date
    block: date
    events_version: int
    build: str

    @property
    def serves_until(self) -> date:
        """The first day of data that it is too old for."""
        learnt_from = (self.until - self.first).days
        return self.until + timedelta(days=min(KEPT_DAYS, int(learnt_from * KEPT_SHARE)))

    def may_be_judged_on(self, split: Split) -> bool:
        """Whether it has seen nothing of the days by which models are judged."""
        return self.until <= split.test_from

    def of(self, track_ids: np.ndarray) -> Fit:
        """The fit with its rows in the order of `track_ids`, which ascend, too: those that are gone are left out, those that came
        since have zeros and are not in the cover."""
        now = _places(self.track_ids, track_ids.astype(str))
        is_there = now >= 0
        factors = np.zeros((len(track_ids), self.fit.factors.rows.shape[1]), dtype=np.float32)
        factors[now[is_there]] = self.fit.factors.rows[is_there]
        covered = now[self.fit.cover.tracks]
        # Both orders are those of the ids, so what stays of the cover ascends, too.
        stays = np.flatnonzero(covered >= 0)
        return Fit(
            TrackFactors(factors, self.fit.factors.settings),
            Cover.of(covered[stays], len(track_ids)),
            _square(self.fit.likeness, stays),
        )


def keep_fit(kept: KeptFit, lake_uri: str) -> None:
    """Keeps it in place of the one before."""
    about = {
        "settings": vars(kept.fit.factors.settings),
        "weights": kept.weights,
        "first": kept.first.isoformat(),
        "until": kept.until.isoformat(),
        "block": kept.block.isoformat(),
        "eventsVersion": kept.events_version,
        "build": kept.build,
    }
    body = io.BytesIO()
    np.savez(
        body,
        about=np.array(json.dumps(about)),
        tracks=kept.track_ids.astype(str),
        factors=kept.fit.factors.rows,
        covered=kept.fit.cover.tracks,
        likeness=kept.fit.likeness,
    )
    write_bytes(_uri(lake_uri), body.getvalue())


def find_fit(split: Split, block: date, events_version: int, build: Build, lake_uri: str) -> KeptFit | None:
    """The kept fit; None where there is none that is good for these days, and this last block."""
    body = None if build.is_forced else read_bytes(_uri(lake_uri))
    if body is None:
        return None
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            kept = _read(arrays)
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError):
        return None
    is_same = kept.build == build.name and kept.block == block and _is_past_unchanged(kept, events_version, lake_uri)
    return kept if is_same and split.until < kept.serves_until else None


def forget_fit(lake_uri: str) -> None:
    """Removes it: the next refresh fits anew."""
    remove_folder(f"{lake_uri.rstrip('/')}/_model")


def _uri(lake_uri: str) -> str:
    return f"{lake_uri.rstrip('/')}/_model/fit.npz"


def _read(arrays) -> KeptFit:
    about, tracks = json.loads(str(arrays["about"])), arrays["tracks"]
    return KeptFit(
        Fit(
            TrackFactors(arrays["factors"], AlsSettings(**about["settings"])),
            Cover.of(arrays["covered"], len(tracks)),
            arrays["likeness"],
        ),
        tracks,
        about["weights"],
        date.fromisoformat(about["first"]),
        date.fromisoformat(about["until"]),
        date.fromisoformat(about["block"]),
        about["eventsVersion"],
        about["build"],
    )


def _square(matrix: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """Its rows and columns that stay; itself, and no copy, where all do."""
    return matrix if len(stays) == len(matrix) else np.ascontiguousarray(matrix[np.ix_(stays, stays)])


def _places(former: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Where each of the former ids is among `ids` now; -1 for those that are gone."""
    if len(ids) == 0:
        return np.full(len(former), -1)
    places = np.minimum(np.searchsorted(ids, former), len(ids) - 1)
    return np.where(ids[places] == former, places, -1)


def _is_past_unchanged(kept: KeptFit, events_version: int, lake_uri: str) -> bool:
    """Whether every week that was over at its time is as it was. The week it was made in may have gone on."""
    if events_version < kept.events_version:
        return False
    changes = changes_between(EVENTS, lake_uri, kept.events_version, events_version)
    return changes is not None and all(week >= kept.until for week in to_weeks(changes.partitions(WEEK)))
