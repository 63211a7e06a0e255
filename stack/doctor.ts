import { mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { cacheDirectory, portVariables, type StackPorts, type StackSettings } from './config.ts';
import { binaryItem, binaryNames, findOnPath, type BinaryName } from './install/binaries.ts';
import { isCached } from './install/cache.ts';
import { freeBytes } from './install/disk.ts';
import { findGo, findJava, findMaven, findPython, isAtLeast, type Prerequisite } from './install/prerequisites.ts';
import { isAlive } from './supervisor/identity.ts';
import { describeTaken, isPortFree } from './supervisor/ports.ts';
import { readRecords, stackFolders } from './supervisor/records.ts';

/** A finding: fit, or the problem and its remedy. */
export interface Finding {
  readonly subject: string;
  readonly isFit: boolean;
  readonly says: string;
}

const gib = 2 ** 30;
const firstTimeGib = 4;

/** Looks at everything the stack needs on this machine; changes nothing but making the cache folder. */
export async function examine(settings: StackSettings, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const cacheDir = cacheDirectory(env);
  const [java, python, programs, maven, disks, ports] = await Promise.all([
    findJava(env),
    findPython(env),
    examinePrograms(cacheDir, env),
    findMaven(env),
    examineDisks(cacheDir, settings.stateDir),
    examinePorts(settings),
  ]);
  const mavenSays = maven.found ? `${maven.found.version} on PATH` : 'not on PATH; set-up fetches its own';
  return [
    examineNode(),
    toFinding(java),
    toFinding(python),
    ...programs,
    { subject: 'Maven', isFit: true, says: mavenSays },
    examineMemory(),
    ...disks,
    ...ports,
  ];
}

/** A finding as a line of text. */
export function formatFinding({ subject, isFit, says }: Finding): string {
  return `${isFit ? 'ok     ' : 'PROBLEM'} ${subject}: ${says}`;
}

function examineNode(): Finding {
  const { node } = process.versions;
  const isFit = isAtLeast(node, [20, 19]);
  return { subject: 'Node.js', isFit, says: isFit ? node : `${node} is too old: install 20.19 or newer.` };
}

function toFinding({ name, found, problem }: Prerequisite): Finding {
  if (found) return { subject: name, isFit: true, says: `${found.version} (${found.file})` };
  return { subject: name, isFit: false, says: problem ?? 'missing' };
}

/** The three programs, and Go if a program has to be built. */
async function examinePrograms(cacheDir: string, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const places = await Promise.all(binaryNames.map((name) => placeOf(name, cacheDir, env)));
  const programs = binaryNames.map((name, index) => ({ subject: name, isFit: true, says: places[index] ?? 'missing' }));
  if (!places.includes(toBuild)) return programs;
  return [...programs, toFinding(await findGo(env))];
}

const toBuild = 'not on PATH in a version that fits; set-up builds it with Go';

async function placeOf(name: BinaryName, cacheDir: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (await findOnPath(name, env)) return 'on PATH, and its version fits';
  return isCached(cacheDir, binaryItem(name)) ? 'built already' : toBuild;
}

function examineMemory(): Finding {
  const total = totalmem() / gib;
  const isFit = total >= 4;
  const says = `${total.toFixed(1)} GiB`;
  return { subject: 'Memory', isFit, says: isFit ? says : `${says}: the stack needs at least 4 GiB.` };
}

async function examineDisks(cacheDir: string, stateDir: string): Promise<Finding[]> {
  await mkdir(cacheDir, { recursive: true });
  const places = [
    { subject: 'Disk of the cache', folder: cacheDir, variable: 'SEGUE_CACHE_DIR' },
    { subject: 'Disk of the state', folder: dirname(stateDir), variable: 'SEGUE_STATE_DIR' },
  ];
  return Promise.all(
    places.map(async ({ subject, folder, variable }) => {
      const free = (await freeBytes(folder)) / gib;
      const says = `${free.toFixed(1)} GiB free in ${folder}`;
      const mend = `${says}: the first set-up needs about ${firstTimeGib} GiB; free some, or set ${variable}.`;
      return { subject, isFit: free >= firstTimeGib, says: free >= firstTimeGib ? says : mend };
    }),
  );
}

/** Ports that this stack's own services hold are fine. */
async function examinePorts(settings: StackSettings): Promise<Finding[]> {
  const records = readRecords(stackFolders(settings.stateDir).runDir).filter(({ identity }) => isAlive(identity));
  const own = new Set(records.flatMap(({ ports }) => ports));
  const names = Object.keys(portVariables) as (keyof StackPorts)[];
  const findings = names.map(async (name): Promise<Finding[]> => {
    const port = settings.ports[name];
    if (own.has(port) || (await isPortFree(port))) return [];
    const says = describeTaken({ port, label: name, variable: portVariables[name] });
    return [{ subject: `Port ${port}`, isFit: false, says }];
  });
  const taken = (await Promise.all(findings)).flat();
  return taken.length > 0 ? taken : [{ subject: 'Ports', isFit: true, says: 'free, or held by this stack' }];
}
