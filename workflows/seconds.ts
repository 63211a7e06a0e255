/** Seconds since a workflow time (epoch ms), to a tenth; workflow time is the server's and the same in a replay. */
export function secondsSince(startedAtMs: number): number {
  return Math.round((Date.now() - startedAtMs) / 100) / 10;
}
