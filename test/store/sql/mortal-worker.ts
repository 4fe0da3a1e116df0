import { parentPort, workerData } from 'node:worker_threads';

/** A worker that does as it is told: it answers, fails, dies, or never answers again. */
if (workerData === 'unable') throw new Error('unable to start');
parentPort?.on('message', ({ id, op }: { readonly id: number; readonly op: string }) => {
  if (op === 'answer') parentPort?.postMessage({ id, value: 'an answer' });
  if (op === 'fail') parentPort?.postMessage({ id, error: new Error('a failure') });
  if (op === 'die') throw new Error('a death');
  if (op === 'exit') process.exit(3);
  if (op === 'close' && workerData !== 'deaf') parentPort?.close();
});
parentPort?.postMessage({ id: 0, value: 'ready' });
