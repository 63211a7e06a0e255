import assert from 'node:assert/strict';
import { lake } from '../../contracts/lake.ts';
import { reasonOf } from '../../api/reasons.ts';

const cause = { track_id: 't0', title: 'Low Tide', artist_id: 'a0', artist_name: 'The Shore', genre: 'folk' };
const track = { track_id: 't1', title: 'High Tide', artist_id: 'a1', artist_name: 'Ann', genre: 'folk' };

function textOf(reasonType: string, of = track): string {
  const reasonTrackId = reasonType === 'because_you_played' ? 't0' : null;
  return reasonOf(
    { rank: 1, track: of, score: 1, reasonType, reasonTrackId },
    reasonTrackId === null ? undefined : cause,
  ).text;
}

describe('the reasons', () => {
  it('read like a person wrote them, each of them', () => {
    assert.deepEqual(
      [
        'because_you_played',
        'people_you_follow',
        'new_from_artist',
        'artist_you_play',
        'trending_in_genre',
        'trending',
        'not_heard_yet',
        'rediscover',
      ].map((type) => textOf(type)),
      [
        'Because you played “Low Tide” by The Shore',
        'People you follow play this',
        'New from Ann, whom you play',
        'More from Ann, whom you play',
        'Trending in folk, which you play',
        'Many people are listening to this',
        'You have not played this yet',
        'You liked this before: hear it again',
      ],
    );
  });

  it('have words of their own for every type that the lake allows', () => {
    const gold = lake.tables.find(({ name }) => name === 'user_recommendations')!;
    const types = gold.columns.find(({ name }) => name === 'reason_type')!.allowed!;
    assert.equal(new Set(types.map((type) => textOf(type))).size, types.length);
  });
});
