import assert from 'node:assert/strict';
import { headerProblem } from '../../activities/landing-files.ts';

describe('headerProblem', () => {
  const expected = ['event_id', 'user_id', 'track_id'];

  it('finds nothing wrong with the expected header', () => {
    assert.equal(headerProblem(expected, ['event_id', 'user_id', 'track_id']), undefined);
  });

  it('says that columns are swapped', () => {
    assert.equal(headerProblem(expected, ['user_id', 'event_id', 'track_id']), 'columns are swapped');
  });

  it('names what is missing and what is unknown', () => {
    assert.equal(
      headerProblem(expected, ['event_id', 'user', 'track_id']),
      'missing column(s) user_id and unknown column(s) user',
    );
  });

  it('names an extra column', () => {
    assert.equal(headerProblem(expected, [...expected, 'device']), 'unknown column(s) device');
  });

  it('says that a column occurs twice', () => {
    assert.equal(headerProblem(expected, [...expected, 'track_id']), 'a column occurs twice');
  });

  it('takes another case for another column', () => {
    assert.equal(
      headerProblem(expected, ['Event_id', 'user_id', 'track_id']),
      'missing column(s) event_id and unknown column(s) Event_id',
    );
  });
});
