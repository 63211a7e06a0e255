import { existsSync } from 'node:fs';
import { execa } from 'execa';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The browser the page's tests drive: SEGUE_CHROMIUM, or the first one on PATH. */
export async function findChromium(): Promise<string | undefined> {
  const chosen = process.env['SEGUE_CHROMIUM'];
  if (chosen) return existsSync(chosen) ? chosen : undefined;
  for (const name of names) {
    const { stdout, exitCode } = await execa('which', [name], { reject: false });
    if (exitCode === 0) return stdout.trim();
  }
  return undefined;
}

/**
 * Installs Debian's Chromium where there is no browser and we may (root, apt). Elsewhere it says what to do, and the tests
 * of the page fail: a missing tool is never a skipped test.
 */
export async function ensureChromium(): Promise<void> {
  if (await findChromium()) return;
  const { exitCode: hasApt } = await execa('which', ['apt-get'], { reject: false });
  if (process.getuid?.() !== 0 || hasApt !== 0) {
    console.error(
      'No Chromium or Chrome was found for the tests of the page: install one, or set SEGUE_CHROMIUM to its path.',
    );
    return;
  }
  console.log('installing Chromium for the tests of the page (apt-get install chromium) …');
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await execa('apt-get', ['update', '-q'], { env, reject: false });
  const { exitCode, stderr } = await execa('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], {
    env,
    reject: false,
  });
  if (exitCode !== 0) console.error(`apt-get could not install chromium: ${stderr.split('\n').at(-1)}`);
}
