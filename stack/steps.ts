import { Listr } from 'listr2';
import { Interrupted } from './errors.ts';

/** A step of a longer job, with a line of its own. */
export interface Step {
  readonly title: string;
  /** Steps that must end first. All remaining steps run side by side. */
  readonly after?: readonly Step[];
  /** Does the work. `report` shows the current activity. Returns a closing remark. */
  readonly run: (report: (detail: string) => void, signal: AbortSignal) => Promise<string | void>;
}

/** How a step went, told as it goes. */
export interface StepEvent {
  readonly title: string;
  readonly state: 'started' | 'progress' | 'done' | 'failed' | 'stopped';
  readonly detail: string;
  readonly seconds: number;
}

/** How long a step took. */
export interface StepTime {
  readonly title: string;
  readonly seconds: number;
}

/** The display of the steps: a live list on a terminal, plain lines elsewhere, or the caller's own. */
export interface StepOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((event: StepEvent) => void) | undefined;
}

const plainEveryMs = 30_000;

/**
 * Runs steps. Independent steps run side by side. The first failure stops the remaining steps and is thrown. An abort
 * of the signal throws Interrupted.
 */
export async function runSteps(steps: readonly Step[], { signal, onStep }: StepOptions = {}): Promise<StepTime[]> {
  const abort = new AbortController();
  const everything = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
  const view = onStep ? quietView() : process.stdout.isTTY ? liveView(steps) : plainView();
  const runs = new Map<Step, Promise<StepTime>>();
  const runOne = (step: Step): Promise<StepTime> => {
    const known = runs.get(step);
    if (known) return known;
    const running = Promise.all((step.after ?? []).map(runOne)).then(() => runStep(step));
    runs.set(step, running);
    return running;
  };

  async function runStep(step: Step): Promise<StepTime> {
    const startedAt = Date.now();
    const seconds = (): number => (Date.now() - startedAt) / 1000;
    let hasEnded = false;
    const show = (state: StepEvent['state'], detail: string): void => {
      // Ignore the reports of a step after its end: its work was interrupted.
      if (hasEnded) return;
      hasEnded = state !== 'started' && state !== 'progress';
      const event = { title: step.title, state, detail, seconds: seconds() };
      view.show(event);
      onStep?.(event);
    };
    if (everything.aborted) throw new Interrupted();
    show('started', '');
    try {
      const remark = await step.run((detail) => show('progress', detail), everything);
      show('done', remark ?? '');
      return { title: step.title, seconds: seconds() };
    } catch (error) {
      if (everything.aborted) show('stopped', '');
      else show('failed', firstLine(error));
      abort.abort();
      throw error;
    }
  }

  const all = steps.map(runOne);
  try {
    return await Promise.all(all);
  } catch (error) {
    // The remaining steps have received the abort. No work runs on after the error.
    await Promise.allSettled(all);
    throw signal?.aborted ? new Interrupted() : error;
  } finally {
    await view.close();
  }
}

interface View {
  show(event: StepEvent): void;
  close(): Promise<void>;
}

function quietView(): View {
  return { show: () => undefined, close: async () => undefined };
}

/** Prints a line when a step starts, every half minute, and when the step ends. */
function plainView(): View {
  const shownAtMs = new Map<string, number>();
  return {
    show({ title, state, detail, seconds }) {
      const isQuietProgress = state === 'progress' && Date.now() - (shownAtMs.get(title) ?? 0) < plainEveryMs;
      if (isQuietProgress) return;
      shownAtMs.set(title, Date.now());
      if (state === 'started') console.log(`${title} …`);
      else if (state === 'done') console.log(`${title}: done in ${formatSeconds(seconds)}${inBrackets(detail)}`);
      else if (state !== 'progress') console.log(`${title}: ${state} after ${formatSeconds(seconds)}`);
      else console.log(`${title}: ${formatSeconds(seconds)}, ${detail}`);
    },
    close: async () => undefined,
  };
}

interface LiveTask {
  title: string;
  output: string;
}

interface LiveLine {
  readonly ended: PromiseWithResolver;
  task?: LiveTask;
  startedAtMs?: number;
}

interface PromiseWithResolver {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A list with a spinner, the elapsed time and the last detail of each step. */
function liveView(steps: readonly Step[]): View {
  const lines = new Map<string, LiveLine>(steps.map(({ title }) => [title, { ended: withResolver() }]));
  const list = new Listr(
    steps.map(({ title }) => ({
      title,
      task: (_context: unknown, task: LiveTask) => {
        const line = lines.get(title);
        if (line) line.task = task;
        return line?.ended.promise;
      },
    })),
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      rendererOptions: { collapseErrors: false, showErrorMessage: false },
    },
  );
  const drawn = list.run().catch(() => undefined);
  const clock = setInterval(() => {
    for (const [title, line] of lines) {
      if (line.startedAtMs === undefined || !line.task) continue;
      line.task.title = `${title} (${formatSeconds((Date.now() - line.startedAtMs) / 1000)})`;
    }
  }, 1_000);
  return {
    show({ title, state, detail, seconds }) {
      const line = lines.get(title);
      if (!line) return;
      line.startedAtMs ??= Date.now();
      if (state === 'progress' && line.task) line.task.output = detail;
      if (state === 'started' || state === 'progress') return;
      delete line.startedAtMs;
      const remark = state === 'done' ? inBrackets(detail) : ` (${state})`;
      if (line.task) line.task.title = `${title}, ${formatSeconds(seconds)}${remark}`;
      if (state === 'done') line.ended.resolve();
      else line.ended.reject(new Error(state));
    },
    async close() {
      clearInterval(clock);
      // Steps that did not start because a different step failed.
      for (const line of lines.values()) line.ended.reject(new Error('not run'));
      await drawn;
    },
  };
}

function withResolver(): PromiseWithResolver {
  const settle: { resolve?: () => void; reject?: (error: Error) => void } = {};
  const promise = new Promise<void>((resolve, reject) => Object.assign(settle, { resolve, reject }));
  // Listr tells of a failed step; a step that it never came to must not end the process.
  promise.catch(() => undefined);
  return { promise, resolve: () => settle.resolve?.(), reject: (error) => settle.reject?.(error) };
}

/** 8.3 s, 75 s, 12 min 5 s. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

function inBrackets(detail: string): string {
  return detail === '' ? '' : ` (${detail})`;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
