import { parentPort, workerData } from 'node:worker_threads';
import { createEngine, type EngineOp, runOp } from './engine.ts';
import { openForWriting } from './sqlite-file.ts';
import type { LinkAnswer, LinkRequest } from './worker-link.ts';

/** Events of refused decisions that are kept, among the newest of all: some 500 MB. */
const TOLD_MAX = 1_000_000;

/** Works on the file in this thread, so that neither a disk nor a list ever holds up a check. */
function serve(path: string): void {
  const db = openForWriting(path);
  const engine = createEngine(db, { toldMax: TOLD_MAX });
  const answer = (message: LinkAnswer) => parentPort?.postMessage(message);
  parentPort?.on('message', async ({ id, op, args }: LinkRequest) => {
    if (op === 'close') {
      db.close();
      parentPort?.close();
      return;
    }
    try {
      answer({ id, value: await runOp(engine, op as EngineOp, args) });
    } catch (error) {
      answer({ id, error });
    }
  });
  answer({ id: 0, value: 'ready' });
}

serve(String(workerData));
