import { Worker } from 'node:worker_threads';

/** What a worker is asked; it answers with the same `id`. `close` is the last and has no answer but its end. */
export type LinkRequest = {
  readonly id: number;
  readonly op: string;
  readonly args: readonly unknown[];
};
export type LinkAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: unknown };

/** A worker thread that is asked; one that dies is replaced. */
export type Link = {
  /** Rejects with an error whose `cause` says what failed: the operation, or the worker itself. */
  readonly ask: (op: string, args: readonly unknown[]) => Promise<unknown>;
  /** Ends the worker after what it was asked before; in bounded time, whatever it does. */
  readonly close: () => Promise<void>;
};

type Waiting = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (cause: Error) => void;
};

/** A worker that dies at its start is started again after this time at the earliest. */
const RESTART_MS = 1000;
const CLOSE_MS = 5000;
const TERMINATE_MS = 1000;
/** The first answer of every worker, which says that it is ready. */
const READY = 0;

/** Starts a worker and waits until it is ready; rejects with what kept it from that. */
export async function openLink(script: URL, data: unknown): Promise<Link> {
  const waiting = new Map<number, Waiting>();
  const state: State = { script, data, waiting, startedMs: 0, lastId: READY, isClosed: false };
  await new Promise<unknown>((resolve, reject) => {
    waiting.set(READY, { resolve, reject });
    start(state);
  }).catch((failed: Error) => {
    state.isClosed = true;
    throw failed.cause ?? failed;
  });
  return {
    ask: (op, args) => ask(state, op, args),
    close: () => close(state),
  };
}

type State = {
  readonly script: URL;
  readonly data: unknown;
  readonly waiting: Map<number, Waiting>;
  worker?: Worker | undefined;
  /** When the worker was started, in milliseconds of the monotonic clock, and why the last one ended. */
  startedMs: number;
  ended?: unknown;
  lastId: number;
  isClosed: boolean;
};

function start(state: State): Worker {
  const worker = new Worker(state.script, { env: {}, workerData: state.data });
  state.worker = worker;
  state.startedMs = performance.now();
  const end = (cause: unknown): void => {
    if (state.worker !== worker) return;
    state.worker = undefined;
    state.ended = cause;
    failAll(state, cause);
  };
  worker.on('message', (answer: LinkAnswer) => settle(state, answer));
  worker.on('messageerror', (cause) => {
    end(cause);
    void worker.terminate();
  });
  worker.on('error', end);
  worker.on('exit', () => end(new Error('the thread of the store ended')));
  return worker;
}

function ask(state: State, op: string, args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (state.isClosed) throw new Error('the store is closed');
    const worker = state.worker ?? restart(state);
    state.lastId += 1;
    const id = state.lastId;
    worker.postMessage({ id, op, args } satisfies LinkRequest);
    state.waiting.set(id, {
      resolve,
      reject: (cause) => reject(new Error(`the store failed: ${op}`, { cause })),
    });
    worker.ref();
  });
}

function restart(state: State): Worker {
  if (performance.now() - state.startedMs < RESTART_MS) {
    throw new Error('the store has failed and starts again soon', { cause: state.ended });
  }
  return start(state);
}

/** Only a worker that is waited for keeps the process alive. */
function settle(state: State, answer: LinkAnswer): void {
  const waiting = state.waiting.get(answer.id);
  state.waiting.delete(answer.id);
  if (state.waiting.size === 0) state.worker?.unref();
  if (!waiting) return;
  if ('error' in answer) waiting.reject(asError(answer.error));
  else waiting.resolve(answer.value);
}

function failAll(state: State, cause: unknown): void {
  const failed = [...state.waiting.values()];
  state.waiting.clear();
  for (const { reject } of failed) reject(asError(cause));
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

async function close(state: State): Promise<void> {
  state.isClosed = true;
  const { worker } = state;
  if (!worker) return;
  worker.postMessage({ id: state.lastId + 1, op: 'close', args: [] } satisfies LinkRequest);
  worker.ref();
  const ended = new Promise<true>((resolve) => worker.once('exit', () => resolve(true)));
  if (await within(CLOSE_MS, ended)) return;
  await within(TERMINATE_MS, worker.terminate());
  worker.unref();
}

/** The result of a promise, or undefined when it takes longer. */
async function within<T>(timeMs: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
