/** Writes what was buffered, in parts and one write after the other. */
export type Writer = {
  /** Says that there is something to write, within the time that was set. */
  readonly wake: () => void;
  /** Writes all that is buffered now; rejects when a write failed, and what was not written is buffered again. */
  readonly flush: () => Promise<void>;
  readonly failures: () => number;
  /** Ends the timer for good. */
  readonly stop: () => void;
};

/** A buffer of items, and where they go. */
export type Source<T> = {
  /** Takes items out: all of them, or as many as are due at a tick of the timer. */
  readonly take: (which: 'all' | 'due') => readonly T[];
  readonly write: (items: readonly T[]) => Promise<void>;
  /** Hears of items that could not be written. */
  readonly restore: (items: readonly T[]) => void;
  /** Whether something waits that was not due. */
  readonly isWaiting?: () => boolean;
  /** More to do once items are written, or when there were none. */
  readonly written?: (which: 'all' | 'due') => Promise<void>;
};

export type WriterOptions = {
  readonly everyMs: number;
  readonly partSize: number;
  readonly onFailure?: ((cause: unknown) => void) | undefined;
};

/** Makes the writer of a buffer. Its timer runs only while something waits, and keeps no process alive. */
export function createWriter<T>(source: Source<T>, options: WriterOptions): Writer {
  let timer: NodeJS.Timeout | undefined;
  let before: Promise<void> = Promise.resolve();
  let failures = 0;
  let isStopped = false;

  const write = async (which: 'all' | 'due'): Promise<void> => {
    const items = source.take(which);
    let at = 0;
    try {
      for (; at < items.length; at += options.partSize) {
        await source.write(items.slice(at, at + options.partSize));
      }
      await source.written?.(which);
    } catch (cause) {
      failures += 1;
      source.restore(items.slice(at));
      throw cause;
    }
  };
  const start = (which: 'all' | 'due'): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const written = before.then(() => write(which));
    before = written.catch(() => undefined);
    return written;
  };
  const tick = async (): Promise<void> => {
    try {
      await start('due');
      if (source.isWaiting?.()) wake();
    } catch (cause) {
      options.onFailure?.(cause);
      wake();
    }
  };
  const wake = (): void => {
    if (isStopped) return;
    timer ??= setTimeout(() => void tick(), options.everyMs).unref();
  };
  const stop = (): void => {
    isStopped = true;
    clearTimeout(timer);
  };
  return { wake, flush: () => start('all'), failures: () => failures, stop };
}
