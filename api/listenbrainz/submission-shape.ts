import { z } from 'zod';
import { rules } from '../../contracts/acceptance/rules.ts';
import { name } from '../../contracts/schemas/acceptance.ts';
import { mostListens, mostTagLength, mostTags } from './scrobbles.ts';

/**
 * The input of POST /1/submit-listens for the API's description. readSubmission checks it, with ListenBrainz's
 * messages.
 */

const trackMetadata = z.looseObject({
  track_name: name,
  artist_name: name,
  additional_info: z
    .looseObject({
      recording_mbid: z
        .union([z.guid(), z.literal('')])
        .nullish()
        .meta({ description: 'the MusicBrainz id of the recording, where it is known' }),
      tags: z.array(z.string().max(mostTagLength)).max(mostTags).nullish(),
    })
    .nullish(),
});
const listen = z.strictObject({
  listened_at: z
    .number()
    .int()
    .min(Date.parse(rules.time.earliest) / 1000)
    .meta({
      description: `seconds since 1970, at most ${rules.time.aheadMinutes} minutes after the request`,
    }),
  track_metadata: trackMetadata,
});

export const submissionShape = z.union([
  z.looseObject({ listen_type: z.literal('single'), payload: z.array(listen).min(1).max(1) }),
  z.looseObject({ listen_type: z.literal('import'), payload: z.array(listen).min(1).max(mostListens) }),
  z.looseObject({
    listen_type: z.literal('playing_now'),
    payload: z
      .array(z.looseObject({ track_metadata: trackMetadata, listened_at: z.null().optional() }))
      .min(1)
      .max(1),
  }),
]);
