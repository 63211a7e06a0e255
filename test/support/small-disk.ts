import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A folder on a disk of its own that can really be full. */
export interface SmallDisk {
  readonly folder: string;
  /** Writes until nothing more fits. */
  fill(): Promise<void>;
  /** Removes what `fill` wrote. */
  free(): Promise<void>;
  /** Unmounts it and removes the folder. */
  remove(): Promise<void>;
}

/** Mounts memory of a limited size in the temporary folder. Needs root, or a `sudo` that does not ask. */
export async function mountSmallDisk(sizeMiB: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-disk-'));
  await asRoot('mount', '-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0777`, 'segue-small-disk', folder);
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: () => fillUp(filler),
    free: () => rm(filler, { force: true }),
    remove: async () => {
      await asRoot('umount', folder);
      await rm(folder, { recursive: true });
    },
  };
}

async function asRoot(command: string, ...args: readonly string[]): Promise<void> {
  if (process.getuid?.() === 0) await execa(command, args);
  else await execa('sudo', ['-n', command, ...args]);
}

/** Down to the last page: large steps first. */
async function fillUp(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    for (let sizeBytes = 1024 * 1024; sizeBytes >= 4096;) {
      const isFull = await file.write(Buffer.alloc(sizeBytes)).then(
        ({ bytesWritten }) => bytesWritten < sizeBytes,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOSPC') throw error;
          return true;
        },
      );
      if (isFull) sizeBytes /= 2;
    }
  } finally {
    await file.close();
  }
}
