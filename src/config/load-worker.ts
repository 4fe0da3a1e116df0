import { parentPort } from 'node:worker_threads';
import { findUnchanged, type Loaded, type LoadOrder, loadPolicy } from './load.ts';
import type { PlainMap } from './plain.ts';
import { type Part, splitConfig } from './transfer.ts';

/** What is asked first: load, unless all files are as they were under a hash. */
export type WorkerOrder = LoadOrder & { readonly known: Pick<Loaded, 'hash' | 'placeholders'> };

/** What is answered first; with a head, parts follow, one for each message that asks for more. */
export type WorkerAnswer = Omit<Loaded, 'config'> & {
  readonly unchanged: boolean;
  readonly head?: PlainMap | undefined;
};
export type WorkerPart = Part | 'end';

type Answer = WorkerAnswer | WorkerPart;

/** Makes the answers to an order, the first at once and each other when it is asked for. */
function* answerOrder({ known, ...order }: WorkerOrder): Generator<Answer> {
  const same = findUnchanged(order.path, known);
  const { config, ...loaded } = same ?? loadPolicy(order);
  const split = config && splitConfig(config);
  yield { ...loaded, unchanged: same !== undefined, head: split?.head };
  yield* split?.parts ?? [];
  yield 'end';
}

/** Serves one order that comes as the first message, in a thread or in a process of its own. */
function serve(
  onMessage: (answer: (message: unknown) => void) => void,
  send: (answer: Answer) => void,
) {
  let answers: Generator<Answer> | undefined;
  onMessage((message) => {
    answers ??= answerOrder(message as WorkerOrder);
    const { value, done } = answers.next();
    if (!done) send(value);
  });
}

const port = parentPort;
if (port) {
  serve(
    (answer) => port.on('message', answer),
    (answer) => port.postMessage(answer),
  );
} else if (process.send) {
  serve(
    (answer) => process.on('message', answer),
    (answer) => process.send?.(answer),
  );
}
