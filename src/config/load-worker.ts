import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { type Loaded, type LoadOrder, loadPolicy } from './load.ts';
import type { PlainMap } from './plain.ts';
import { type Part, splitConfig } from './transfer.ts';

/** What the worker is asked: load, unless everything is as it was under a hash. */
export type WorkerOrder = LoadOrder & { readonly knownHash: string };

/** What the worker answers first; with a head, parts follow, one for each message that asks for more. */
export type WorkerAnswer = Omit<Loaded, 'config'> & {
  readonly unchanged: boolean;
  readonly head?: PlainMap | undefined;
};
export type WorkerPart = Part | 'end';

/** Problems that are handed on; a file of nonsense has one for every line. */
const PROBLEMS_MAX = 1000;

const port = parentPort;
if (port) {
  const { knownHash, ...order } = workerData as WorkerOrder;
  const { config, ...loaded } = loadPolicy(order);
  const unchanged = loaded.hash === knownHash;
  const split = config && !unchanged ? splitConfig(config) : undefined;
  const answer: WorkerAnswer = {
    ...loaded,
    problems: loaded.problems.slice(0, PROBLEMS_MAX),
    warnings: loaded.warnings.slice(0, PROBLEMS_MAX),
    unchanged,
    head: split?.head,
  };
  port.postMessage(answer);
  for (const part of split?.parts ?? []) {
    await once(port, 'message');
    port.postMessage(part satisfies WorkerPart);
  }
  await once(port, 'message');
  port.postMessage('end' satisfies WorkerPart);
  port.close();
}
