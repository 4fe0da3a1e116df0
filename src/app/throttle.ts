/** Calls what it is given, but not too often for one text; the next call that gets through says how many did not. */
export type Throttle = (text: string, tell: (untold: number) => void) => void;

/** Texts that are told apart; a new one beyond them is told at once, and the others are forgotten. */
const TEXTS_MAX = 32;

/** Lets one call of a text through in so many milliseconds. */
export function createThrottle(everyMs: number): Throttle {
  const texts = new Map<string, { toldAtMs: number; untold: number }>();
  return (text, tell) => {
    const nowMs = performance.now();
    const known = texts.get(text);
    if (known && nowMs - known.toldAtMs < everyMs) {
      known.untold += 1;
      return;
    }
    if (!known && texts.size >= TEXTS_MAX) texts.clear();
    texts.set(text, { toldAtMs: nowMs, untold: 0 });
    tell(known?.untold ?? 0);
  };
}
