import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Loaded } from './load.ts';
import type { WorkerAnswer, WorkerOrder, WorkerPart } from './load-worker.ts';
import type { Config } from './schema.ts';
import { addPart } from './transfer.ts';

/** What a reload found; `unchanged` when every file is as it was. */
export type Reloaded = Loaded & { readonly unchanged: boolean };

const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './load-worker.ts' : './load-worker.js',
  import.meta.url,
);

/**
 * Loads a policy in a worker thread and takes it over in small parts, so that this thread is never held up.
 * Rejects when the worker dies.
 */
export async function loadAside(order: WorkerOrder, signal?: AbortSignal): Promise<Reloaded> {
  const worker = new Worker(WORKER, { workerData: order, env: {} });
  const stop = () => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await receive(worker);
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

async function receive(worker: Worker): Promise<Reloaded> {
  const { head, ...loaded } = (await nextMessage(worker)) as WorkerAnswer;
  console.error('head at', performance.now()|0); if (!head) return loaded;
  for (;;) {
    worker.postMessage('next');
    const part = (await nextMessage(worker)) as WorkerPart;
    if (part === 'end') console.error('end at', performance.now()|0); if (part === 'end') return { ...loaded, config: head as Config };
    addPart(head, part);
  }
}

/** The next message of a worker; rejects when it fails or ends instead. */
async function nextMessage(worker: Worker): Promise<unknown> {
  const ended = new AbortController();
  const { signal } = ended;
  try {
    return await Promise.race([
      once(worker, 'message', { signal }).then(([message]) => message),
      once(worker, 'exit', { signal }).then(() => {
        throw new Error('the worker that loads the policy ended early');
      }),
    ]);
  } finally {
    ended.abort();
  }
}
