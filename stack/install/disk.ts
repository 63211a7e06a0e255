import { statfs } from 'node:fs/promises';
import { StackError } from '../errors.ts';

const gib = 2 ** 30;

/** Free space in bytes where this folder lies. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Throws when a folder's disk has less free than this. */
export async function refuseFullDisk(folder: string, neededBytes: number, variable: string): Promise<void> {
  const free = await freeBytes(folder);
  if (free >= neededBytes) return;
  throw new StackError(
    `The disk is full: ${folder} has ${(free / gib).toFixed(1)} GiB free, this needs about ${(neededBytes / gib).toFixed(1)} GiB. ` +
      `Free some space, or point ${variable} to another disk.`,
  );
}
