import type { RankedTrack, Track } from './snapshot/snapshot.ts';

/** Why a track is recommended, for a person to read. */
export interface Reason {
  readonly type: string;
  readonly text: string;
  readonly track_id?: string;
}

/** The reason of a recommended track, in words. `cause` is the track in the reason, if the catalogue has it. */
export function reasonOf(ranked: RankedTrack, cause: Track | undefined): Reason {
  const { reasonType: type, reasonTrackId, track } = ranked;
  return { type, text: textOf(type, track, cause), ...(reasonTrackId !== null && { track_id: reasonTrackId }) };
}

function textOf(type: string, track: Track, cause: Track | undefined): string {
  switch (type) {
    case 'because_you_played':
      return cause ? `Because you played “${cause.title}” by ${cause.artist_name}` : 'Because of what you played';
    case 'people_you_follow':
      return 'People you follow play this';
    case 'new_from_artist':
      return `New from ${track.artist_name}, whom you play`;
    case 'artist_you_play':
      return `More from ${track.artist_name}, whom you play`;
    case 'trending_in_genre':
      return track.genre ? `Trending in ${track.genre}, which you play` : 'Trending in a genre you play';
    case 'trending':
      return 'Many people are listening to this';
    case 'not_heard_yet':
      return 'You have not played this yet';
    case 'rediscover':
      return 'You liked this before: hear it again';
    default:
      return 'People who listen to what you listen to play this';
  }
}
