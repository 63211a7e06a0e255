import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

/** A listener's token. The file keeps only its hash. */
const listenerToken = z.object({ user: z.string().min(1).max(200), sha256: z.string(), created_at: z.string() });
const tokenFile = z.array(listenerToken);
export type ListenerToken = z.infer<typeof listenerToken>;

const lockMs = 5_000;
const lookEveryMs = 500;

/** The file of tokens for the command: mode 0600, atomic writes, a single writer at a time. */
export class TokenFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Every token, the oldest first; none when there is no file yet. */
  async list(): Promise<readonly ListenerToken[]> {
    try {
      return tokenFile.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new Error(`${this.#path} cannot be read: mend it, or remove it and make the tokens anew`, { cause: error });
    }
  }

  /** Makes a token for a listener; it is answered once and never again. */
  async create(user: string, now: Date): Promise<string> {
    const token = randomUUID();
    const entry = { user, sha256: hashOf(token), created_at: now.toISOString() };
    await this.#change((tokens) => [...tokens, entry]);
    return token;
  }

  /** Ends all tokens of a listener; answers how many there were. */
  async revoke(user: string): Promise<number> {
    let revoked = 0;
    await this.#change((tokens) => {
      const kept = tokens.filter((token) => token.user !== user);
      revoked = tokens.length - kept.length;
      return kept;
    });
    return revoked;
  }

  async #change(edit: (tokens: readonly ListenerToken[]) => readonly ListenerToken[]): Promise<void> {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const lock = `${this.#path}.lock`;
    await takeLock(lock);
    try {
      const tokens = edit(await this.list());
      await writeFile(`${this.#path}.new`, `${JSON.stringify(tokens, null, 2)}\n`, { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    } finally {
      await rm(lock, { force: true });
    }
  }
}

/** The lookup of tokens for the API, which reads the file again after a change. */
export class ListenerTokens {
  readonly #path: string;
  readonly #file: TokenFile;
  #users: ReadonlyMap<string, string> = new Map();
  #names: ReadonlySet<string> = new Set();
  #seen = '';
  #lookedAt = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#file = new TokenFile(path);
  }

  /** The listener of a token. Undefined for an invalid token. */
  async userOf(token: string): Promise<string | undefined> {
    await this.#look();
    return this.#users.get(hashOf(token));
  }

  /** Whether a listener has a token. */
  async hasUser(user: string): Promise<boolean> {
    await this.#look();
    return this.#names.has(user);
  }

  /** A request during a read of the file waits for the read, because the former content may be empty. */
  async #look(): Promise<void> {
    if (!this.#looking && performance.now() - this.#lookedAt < lookEveryMs) return;
    this.#looking ??= this.#readChanged().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #readChanged(): Promise<void> {
    const lookedAt = performance.now();
    const found = await stat(this.#path).catch(() => undefined);
    const seen = found ? `${found.ino} ${found.mtimeMs} ${found.size}` : '';
    if (seen !== this.#seen) {
      const tokens = await this.#file.list();
      this.#users = new Map(tokens.map(({ sha256, user }) => [sha256, user]));
      this.#names = new Set(tokens.map(({ user }) => user));
      this.#seen = seen;
    }
    // Report the error here: an unreadable file is an error for all listeners, and must never look like an invalid
    // token.
    this.#lookedAt = lookedAt;
  }
}

/** A token is random enough that a plain hash of it cannot be turned back. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

async function takeLock(path: string): Promise<void> {
  const giveUpAt = performance.now() + lockMs;
  for (;;) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      if (performance.now() > giveUpAt) {
        throw new Error(
          `${path} is there: another command changes the tokens, or one was killed; remove the file then`,
          {
            cause,
          },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
