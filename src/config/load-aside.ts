import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { sizeOf } from './file-set.ts';
import type { Loaded } from './load.ts';
import type { WorkerAnswer, WorkerOrder, WorkerPart } from './load-worker.ts';
import type { Config } from './schema.ts';
import { addPart } from './transfer.ts';

/** What a reload found; `unchanged` when every file is as it was. */
export type Reloaded = Loaded & {
  readonly unchanged: boolean;
  /** The declared keys, which `config` lacks: lists of them as JSON. */
  readonly packedKeys: readonly string[];
};

type Ask = (message: WorkerOrder | 'next') => Promise<unknown>;

const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './load-worker.ts' : './load-worker.js',
  import.meta.url,
);

/**
 * From here on a policy is loaded in a process: a thread shares its memory management and the helpers of the
 * garbage collector with the checks, and holds them up when it needs gigabytes. A process needs some 50 MB more.
 */
const PROCESS_BYTES_MIN = 1024 * 1024;

/**
 * Loads a policy beside this thread and takes it over in small parts, so that checks are never held up.
 * Rejects when the signal aborts, and when the worker ends early.
 */
export async function loadAside(order: WorkerOrder, signal: AbortSignal): Promise<Reloaded> {
  const isLarge = (await sizeOf(order.path)) >= PROCESS_BYTES_MIN;
  signal.throwIfAborted();
  return isLarge ? loadInProcess(order, signal) : loadInThread(order, signal);
}

async function loadInThread(order: WorkerOrder, signal: AbortSignal): Promise<Reloaded> {
  const worker = new Worker(WORKER, { env: {} }).on('error', ignoreError);
  try {
    return await converse(order, async (message) => {
      worker.postMessage(message);
      return nextMessage(worker, signal);
    });
  } finally {
    await worker.terminate();
  }
}

/** A priority holds for one thread: the collector's own threads would take the core that checks need. */
const ONE_THREAD = ['--v8-pool-size=0', '--single-threaded-gc'];

async function loadInProcess(order: WorkerOrder, signal: AbortSignal): Promise<Reloaded> {
  const options = { serialization: 'advanced', env: {}, execArgv: ONE_THREAD } as const;
  const child = fork(WORKER, options).on('error', ignoreError);
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    return await converse(order, async (message) => {
      child.send(message);
      return nextMessage(child, signal);
    });
  } finally {
    child.kill('SIGKILL');
  }
}

/** An error that nobody waits for must not end this process: the next message is then an early end. */
function ignoreError(): void {}

async function converse(order: WorkerOrder, ask: Ask): Promise<Reloaded> {
  const { head, ...loaded } = (await ask(order)) as WorkerAnswer;
  const packedKeys: string[] = [];
  if (!head) return { ...loaded, packedKeys };
  for (;;) {
    const part = (await ask('next')) as WorkerPart;
    if (part === 'end') return { ...loaded, config: head as Config, packedKeys };
    if ('keys' in part) packedKeys.push(part.keys);
    else addPart(head, part);
  }
}

/** The next message; rejects when the worker fails or ends instead. */
async function nextMessage(worker: NodeJS.EventEmitter, signal: AbortSignal): Promise<unknown> {
  const settled = new AbortController();
  const both = { signal: AbortSignal.any([signal, settled.signal]) };
  try {
    return await Promise.race([
      once(worker, 'message', both).then(([message]) => message),
      once(worker, 'exit', both).then(() => {
        throw new Error('the worker that loads the policy ended early');
      }),
    ]);
  } finally {
    settled.abort();
  }
}
