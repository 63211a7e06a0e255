/**
 * `node stack/bootstrap.mjs ENTRY ARGS…`: the entry of every npm script. It is plain JavaScript without dependencies,
 * because it runs before the npm packages exist. It checks Node's version, installs the npm packages if they are
 * missing or older than the lock file, and runs ENTRY with tsx. It passes on signals and the exit code.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'node_modules', '.segue-lock');
// Not under node_modules, which npm ci deletes, and not in the checkout, which it would dirty.
const lockFolder = join(tmpdir(), `segue-npm-${createHash('sha256').update(root).digest('hex').slice(0, 12)}.lock`);
let isLockHeld = false;

const [entry, ...args] = process.argv.slice(2);
refuseOldNode();
if (entry === undefined) stop('stack/bootstrap.mjs needs the file to run: node stack/bootstrap.mjs stack/start.ts');
await installPackages();
run(entry, args);

function refuseOldNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(
    `Node.js ${process.versions.node} is too old: Segue needs 20.19 or newer; install it from nodejs.org or with your version manager.`,
  );
}

async function installPackages() {
  if (isInstalled()) return;
  await lockInstall();
  try {
    if (!isInstalled()) npmInstall();
  } finally {
    unlockInstall();
  }
}

function unlockInstall() {
  if (isLockHeld) rmSync(lockFolder, { recursive: true, force: true });
  isLockHeld = false;
}

function isInstalled() {
  try {
    return readFileSync(stampFile, 'utf8') === lockHash();
  } catch {
    return false;
  }
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** Of two concurrent starts, the second waits. A start takes over the lock of a dead process. */
async function lockInstall() {
  let told = false;
  for (;;) {
    try {
      mkdirSync(lockFolder);
      writeFileSync(join(lockFolder, 'pid'), String(process.pid));
      isLockHeld = true;
      process.once('exit', unlockInstall);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') stop(`${root} cannot be written (${error.code}): npm packages go there.`);
    }
    if (isHolderGone()) {
      rmSync(lockFolder, { recursive: true, force: true });
      continue;
    }
    if (!told) console.log('npm packages: another start is installing them; waiting …');
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

function isHolderGone() {
  try {
    process.kill(Number(readFileSync(join(lockFolder, 'pid'), 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'ESRCH') return true;
    if (error.code === 'EPERM') return false;
    // Made a moment ago and its pid not written yet, or its maker was killed in between.
    return ageMs(lockFolder) > 5_000;
  }
}

function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function npmInstall() {
  const startedAt = Date.now();
  console.log('npm packages: npm ci …');
  const npm = npmCommand();
  const result = spawnSync(npm.file, [...npm.args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.signal) process.exit(130);
  if (result.status !== 0) {
    stop(
      'npm ci failed, see its lines above: check the network and npm’s registry setting, then run the same command again.',
    );
  }
  writeFileSync(stampFile, lockHash());
  console.log(`npm packages: installed in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
}

/** The npm that runs this script, if there is such an npm: it need not be the first npm on PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  if (running?.endsWith('npm-cli.js')) return { file: process.execPath, args: [running] };
  return { file: 'npm', args: [] };
}

function run(file, fileArgs) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, file), ...fileArgs], { stdio: 'inherit' });
  // Ctrl-C reaches the whole terminal group, including the child. The child treats two close signals as a single
  // signal.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => stop(`${file} could not be started: ${error.message}`));
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
