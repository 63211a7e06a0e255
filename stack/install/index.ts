import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../config.ts';
import { StackError } from '../errors.ts';
import { runSteps, type Step, type StepEvent } from '../steps.ts';
import { binaryItem, binaryNames, findOnPath, type BinaryName } from './binaries.ts';
import { ensureCached, isCached, itemFolder, type CachedItem } from './cache.ts';
import { refuseFullDisk } from './disk.ts';
import { jarsItem } from './jars.ts';
import { mavenItem, mavenOf } from './maven.ts';
import { findGo, findJava, findMaven, findPython, required, type Prerequisite } from './prerequisites.ts';
import { pythonItem, sparkHomeOf } from './python.ts';
import { pythonOf } from './venv.ts';

/** Where the tools of the stack are. */
export interface Installed {
  readonly temporal: string;
  readonly minio: string;
  readonly mc: string;
  readonly java: string;
  /** The venv's interpreter, with PySpark and the packages of the jobs' tests. */
  readonly python: string;
  /** PySpark's own distribution. */
  readonly sparkHome: string;
  readonly sparkSubmit: string;
  readonly sparkJarsDir: string;
  readonly kafkaLibDir: string;
}

/** How to install. */
export interface InstallOptions {
  /** The cache folder for downloads and builds. Default: SEGUE_CACHE_DIR or XDG_CACHE_HOME. */
  readonly cacheDir?: string;
  /** Takes the place of the progress lines. */
  readonly onStep?: (event: StepEvent) => void;
  readonly signal?: AbortSignal;
}

/** The approximate disk space for making each item, in bytes. */
const spaceNeeded: Readonly<Record<string, number>> = {
  temporal: 1.6e9,
  minio: 1.6e9,
  mc: 0.2e9,
  python: 1.6e9,
  kafka: 0.1e9,
  'spark-jars': 0.3e9,
};

/**
 * Installs missing tools of the stack, pinned by version and checksum, and returns their places. Takes milliseconds if
 * all tools are present. Safe to interrupt, to repeat, and to run twice at the same time. Throws a StackError with the
 * failure and the remedy.
 */
export async function ensureInstalled(options: InstallOptions = {}): Promise<Installed> {
  const cacheDir = options.cacheDir ?? cacheDirectory(process.env);
  await makeCache(cacheDir);
  const plan = await makePlan(cacheDir);
  const missing = plan.items.filter(({ item }) => !isCached(cacheDir, item));
  if (missing.length > 0) {
    const needed = missing.reduce((sum, { item }) => sum + (spaceNeeded[item.name] ?? 0), 0);
    await refuseFullDisk(cacheDir, needed, 'SEGUE_CACHE_DIR');
    await refuseWithoutGo(missing.map(({ item }) => item));
    await runSteps(toSteps(cacheDir, missing), { signal: options.signal, onStep: options.onStep });
  }
  return describe(cacheDir, plan);
}

interface PlannedItem {
  readonly item: CachedItem;
  readonly title: string;
  /** Names of the items that come first, where they are missing too. */
  readonly after: readonly string[];
}

interface Plan {
  readonly items: readonly PlannedItem[];
  readonly onPath: ReadonlyMap<BinaryName, string>;
  readonly java: string;
  readonly python: CachedItem;
}

async function makeCache(cacheDir: string): Promise<void> {
  try {
    await mkdir(cacheDir, { recursive: true });
  } catch (cause) {
    throw new StackError(`The cache ${cacheDir} cannot be made (${(cause as Error).message}): set SEGUE_CACHE_DIR.`, {
      cause,
    });
  }
}

/** The required items for this machine. Throws if prerequisites are missing, and names all of them. */
async function makePlan(cacheDir: string): Promise<Plan> {
  const [java, basePython, maven, ...paths] = await Promise.all([
    findJava(),
    findPython(),
    findMaven(),
    ...binaryNames.map((name) => findOnPath(name, process.env)),
  ]);
  refuseMissing([java, basePython]);
  const onPath = new Map(binaryNames.flatMap((name, index) => (paths[index] ? [[name, paths[index]] as const] : [])));
  const python = pythonItem(basePython.found ?? { file: 'python3', version: '' });
  const javaFile = required(java);
  const fetchMaven = maven.found === undefined;
  const mavenFile = async (signal: AbortSignal, report: (detail: string) => void): Promise<string> => {
    if (maven.found) return maven.found.file;
    const folder = itemFolder(cacheDir, python);
    const tools = { java: javaFile, python: pythonOf(folder), sparkHome: await sparkHomeOf(folder) };
    return mavenOf(await ensureCached(cacheDir, mavenItem(tools), signal, report));
  };
  const jars = (['kafka', 'spark-jars'] as const).map((name) => jarsItem(name, mavenFile));
  const toBuild = binaryNames.filter((name) => !onPath.has(name));
  return {
    java: javaFile,
    onPath,
    python,
    items: [
      // Build in sequence: each build keeps every core busy, and MinIO's build needs 1.5 GB.
      ...toBuild.map((name, index) => ({
        item: binaryItem(name),
        title: `${name} (built from its Go module)`,
        after: toBuild.slice(0, index),
      })),
      { item: python, title: 'Python environment with PySpark', after: [] },
      ...jars.map((item, index) => ({
        item,
        title: item.name === 'kafka' ? 'Kafka’s jars' : 'Spark’s jars (Delta Lake, S3A, Kafka source)',
        // Without a Maven of the machine's own, PySpark's Ivy fetches it first.
        after: [...(fetchMaven ? ['python'] : []), ...jars.slice(0, index).map(({ name }) => name)],
      })),
    ],
  };
}

function refuseMissing(prerequisites: readonly Prerequisite[]): void {
  const problems = prerequisites.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) throw new StackError(problems.join('\n'));
}

async function refuseWithoutGo(missing: readonly CachedItem[]): Promise<void> {
  const isGoNeeded = missing.some(({ name }) => binaryNames.some((binary) => binary === name));
  if (isGoNeeded) required(await findGo());
}

function toSteps(cacheDir: string, missing: readonly PlannedItem[]): Step[] {
  const steps = new Map<string, Step>();
  for (const { item, title, after } of missing) {
    steps.set(item.name, {
      title,
      after: after.flatMap((name) => steps.get(name) ?? []),
      run: async (report, signal) => void (await ensureCached(cacheDir, item, signal, report)),
    });
  }
  return [...steps.values()];
}

async function describe(cacheDir: string, plan: Plan): Promise<Installed> {
  const folderOf = (name: string): string => {
    const planned = plan.items.find(({ item }) => item.name === name);
    if (planned === undefined) throw new Error(`nothing called ${name} is installed`);
    return itemFolder(cacheDir, planned.item);
  };
  const binary = (name: BinaryName): string => plan.onPath.get(name) ?? join(folderOf(name), name);
  const sparkHome = await sparkHomeOf(folderOf('python'));
  return {
    temporal: binary('temporal'),
    minio: binary('minio'),
    mc: binary('mc'),
    java: plan.java,
    python: pythonOf(folderOf('python')),
    sparkHome,
    sparkSubmit: join(sparkHome, 'bin', 'spark-submit'),
    sparkJarsDir: folderOf('spark-jars'),
    kafkaLibDir: folderOf('kafka'),
  };
}
