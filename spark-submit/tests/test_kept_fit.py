"""The fit that serves for some weeks: when it may, when it may not, and what a refresh does with it."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import build_gold as gold_job
import evaluate_model as evaluation_job
import numpy as np
import pytest
from planted import USERS, add_days, evaluation_params, planted_events, planted_lake
from small_models import SETTINGS
from worlds import rows, run, table

import lakehouse.kept_fit
from lakehouse.als import TrackFactors
from lakehouse.contracts import table as contract
from lakehouse.delta_rs import Commit
from lakehouse.few_rows import overwrite_table, rows_of
from lakehouse.held_out import Split
from lakehouse.incremental import Build
from lakehouse.item_to_item import Cover
from lakehouse.kept_fit import KeptFit, find_fit, forget_fit, keep_fit
from lakehouse.model import DEFAULT_WEIGHTS, Fit
from lakehouse.shards import SHARDS
from lakehouse.trending import weekly_trending_tracks

BUILD = Build("b1")
IDS = np.array(["a", "c", "d"], dtype=object)
UNTIL = date(2024, 12, 25)
BLOCK = date(2024, 12, 24)
# A week later: the judged days begin where the fit ends.
A_WEEK_LATER = Split(date(2024, 12, 18), UNTIL, date(2025, 1, 1))


@pytest.fixture
def kept(lake, monkeypatch):
    """A fit of a year, kept, whose events have not changed since."""
    monkeypatch.setattr(lakehouse.kept_fit, "changes_between", lambda *_: _Changed())
    factors = np.arange(12, dtype=np.float32).reshape(3, 4)
    likeness = np.array([[0.0, 0.5], [0.25, 0.0]], dtype=np.float32)
    fit = Fit(TrackFactors(factors, SETTINGS), Cover.of(np.array([0, 2]), 3), likeness)
    made = KeptFit(fit, IDS, dict(DEFAULT_WEIGHTS), date(2024, 1, 1), UNTIL, BLOCK, 7, "b1")
    keep_fit(made, lake)
    return made


class _Changed:
    """What the log says has changed: these weeks."""

    def __init__(self, *weeks: str):
        self._weeks = set(weeks)

    def partitions(self, _: str) -> set[str]:
        return self._weeks


def test_a_kept_fit_is_found_as_it_was(kept, lake):
    found = find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake)
    assert replace(found, fit=None) == replace(kept, fit=None)
    assert found.fit.factors.settings == SETTINGS
    assert found.fit.factors.rows.tolist() == kept.fit.factors.rows.tolist()
    assert (found.fit.cover.tracks.tolist(), found.fit.likeness.tolist()) == ([0, 2], kept.fit.likeness.tolist())
    assert found.of(IDS).factors.rows.tolist() == kept.fit.factors.rows.tolist()


def test_its_rows_follow_their_tracks_where_tracks_came_and_went(kept, lake):
    kept = find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake)
    found = kept.of(np.array(["b", "c", "d", "e"], dtype=object))
    assert found.factors.rows.tolist() == [[0] * 4, [4, 5, 6, 7], [8, 9, 10, 11], [0] * 4]
    # Of the two it covered, a is gone.
    assert (found.cover.tracks.tolist(), found.likeness.tolist()) == ([2], [[0]])


def test_it_is_never_judged_by_days_it_was_learnt_from_but_waits_for_later_ones(kept, lake):
    one_day_less = Split(*(day - timedelta(days=1) for day in vars(A_WEEK_LATER).values()))
    waiting = find_fit(one_day_less, BLOCK, 8, BUILD, lake)
    assert not waiting.may_be_judged_on(one_day_less)
    assert waiting.may_be_judged_on(A_WEEK_LATER)


def test_it_serves_for_less_than_four_weeks_and_less_than_a_tenth_of_what_it_learnt_from(kept, lake):
    def after(days: int):
        return find_fit(Split(UNTIL, UNTIL, UNTIL + timedelta(days=days)), BLOCK, 8, BUILD, lake)

    assert after(27) is not None
    assert after(28) is None
    keep_fit(replace(kept, first=UNTIL - timedelta(days=90)), lake)
    assert after(8) is not None
    assert after(9) is None


def test_it_serves_until_the_next_block_of_weeks_is_over(kept, lake):
    assert find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake) is not None
    assert find_fit(A_WEEK_LATER, BLOCK + timedelta(weeks=4), 8, BUILD, lake) is None


def test_another_build_and_a_refresh_that_makes_everything_anew_pass_it_over(kept, lake):
    assert find_fit(A_WEEK_LATER, BLOCK, 8, Build("b2"), lake) is None
    assert find_fit(A_WEEK_LATER, BLOCK, 8, Build("b1", is_forced=True), lake) is None


def test_it_is_passed_over_when_a_week_it_knew_whole_has_changed(kept, lake, monkeypatch):
    def changed(*weeks: str):
        monkeypatch.setattr(lakehouse.kept_fit, "changes_between", lambda *_: _Changed(*weeks))
        return find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake)

    # Its last day was the 24th: a week that ended on the 25th was not over.
    assert changed("2024-12-25", "2024-12-31") is not None
    assert changed("2024-12-24") is None
    monkeypatch.setattr(lakehouse.kept_fit, "changes_between", lambda *_: None)
    assert find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake) is None
    # Of an older version of the events than it: somebody restored the table.
    assert find_fit(A_WEEK_LATER, BLOCK, 6, BUILD, lake) is None


def test_a_file_that_is_cut_off_is_none_and_a_forgotten_one_is_gone(kept, lake):
    file = Path(lake) / "_model" / "fit.npz"
    body = file.read_bytes()
    for length in (0, 10, len(body) // 2, len(body) - 1):
        file.write_bytes(body[:length])
        assert find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake) is None
    file.write_bytes(body)
    assert find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake) is not None
    forget_fit(lake)
    forget_fit(lake)
    assert find_fit(A_WEEK_LATER, BLOCK, 8, BUILD, lake) is None


def test_a_week_later_the_fit_is_judged_on_that_week_and_used_again(spark, lake, monkeypatch):
    """Three refreshes: a new fit; a week later the kept one; then one that no longer passes, and a new one in its place."""
    monkeypatch.setattr(lakehouse.kept_fit, "KEPT_SHARE", 1.0)
    monkeypatch.setattr(evaluation_job, "decide_promotion", lambda *_: {"promoted": True, "why": "planned"})
    planted_lake(spark, lake, planted_events(26))
    first = _refresh(spark, lake, "m1")
    assert (first["fit"], first["split"]["trainUntil"]) == ("new", "2024-01-15")

    # A day later it cannot be judged: there is a new one, and the first is kept for its time.
    add_days(spark, lake, 26, 27)
    kept_at = _kept_at(lake)
    assert _refresh(spark, lake, "m1-a-day-later")["fit"] == "new"
    assert _kept_at(lake) == kept_at

    add_days(spark, lake, 27, 33)
    monkeypatch.setattr(gold_job, "fit_model", _not_again)
    monkeypatch.setattr(evaluation_job, "fit_model", _not_again)
    second = _refresh(spark, lake, "m2")
    assert (second["fit"], second["weights"], second["settings"]) == ("kept", first["weights"], first["settings"])
    # It was learnt from all of the first refresh's days, and is judged on those that came since.
    assert second["split"] == {"trainUntil": "2024-01-27", "validationUntil": "2024-01-27", "testUntil": "2024-02-03"}
    assert second["candidate"]["users"] == USERS
    assert set(rows(lake, "gold/user_recommendations", "model_version")) == {("m2",)}

    monkeypatch.undo()
    monkeypatch.setattr(lakehouse.kept_fit, "KEPT_SHARE", 1.0)
    answers = iter([{"promoted": False, "why": "worse than before"}, {"promoted": True, "why": "planned"}])
    monkeypatch.setattr(evaluation_job, "decide_promotion", lambda *_: next(answers))
    add_days(spark, lake, 33, 40)
    third = _refresh(spark, lake, "m3")
    assert (third["fit"], third["split"]["trainUntil"], third["why"]) == ("new", "2024-01-27", "planned")
    assert _kept_at(lake) > kept_at
    fits = {row["model_version"]: row["settings"] for row in table(lake, "gold/model_evaluations").to_pylist()}
    assert ['"kept"' in fits[model] for model in ("m1", "m2", "m3")] == [False, True, False]


def test_what_too_few_listeners_judged_is_not_kept(spark, lake, monkeypatch):
    planted_lake(spark, lake, planted_events())
    monkeypatch.setattr(gold_job, "LEAST_LISTENERS", 151)
    monkeypatch.setattr(evaluation_job, "decide_promotion", lambda *_: {"promoted": True, "why": "planned"})
    _refresh(spark, lake, "m1")
    assert not (Path(lake) / "_model").exists()


def _refresh(spark, lake: str, model: str) -> dict:
    events = rows_of(spark, contract("silver", "listening_events"), lake)
    songs = rows_of(spark, contract("bronze", "dim_songs"), lake)
    charts = contract("silver", "weekly_trending_tracks")
    overwrite_table(weekly_trending_tracks(events, songs), charts, lake, Commit(model), is_small=True)
    params = evaluation_params(lake, model)
    judged = run(evaluation_job.evaluate_model, spark, params)
    made = run(gold_job.build_gold, spark, {**params, "recommendationsPerUser": 5})
    assert made["recommendations"] > SHARDS
    return judged


def _kept_at(lake: str) -> int:
    return (Path(lake) / "_model" / "fit.npz").stat().st_mtime_ns


def _not_again(*_):
    raise AssertionError("a fit was made anew")
