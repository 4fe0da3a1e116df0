import { setImmediate as nextTurn } from 'node:timers/promises';

/** Lets the event loop turn: resolves when other work had its chance. */
export type YieldTurn = () => Promise<unknown>;

/** Called between the parts of a long work; it rests when the slice of time is used up. */
export type Pacer = {
  readonly isDue: () => boolean;
  readonly rest: () => Promise<void>;
};

const SLICE_MS = 10;

/** Waits for one turn of the event loop. */
export const turnLoop: YieldTurn = () => nextTurn();

/** Makes a pacer: work between two rests takes about 10 ms. */
export function createPacer(yieldTurn: YieldTurn = turnLoop): Pacer {
  let startedMs = performance.now();
  return {
    isDue: () => performance.now() - startedMs >= SLICE_MS,
    rest: async () => {
      await yieldTurn();
      startedMs = performance.now();
    },
  };
}
