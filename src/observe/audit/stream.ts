import { type Entry, writeEntry } from './format.ts';
import type { Kept } from './journal.ts';
import type { Origin } from './ocsf/event.ts';
import type { Format, Sink, SinkCounts } from './sink.ts';

/** The stream of audit events, to all sinks. */
export type AuditStream = {
  readonly mode: 'buffered' | 'blocking';
  /** Gives an entry to every sink; never waits and never throws. */
  readonly tell: (entry: Entry) => void;
  /**
   * The same, and resolves true once every sink has it on disk or with its reader; false when one has not within
   * `withinMs`, and then the entry is given up where it still waits. Never rejects.
   */
  readonly keep: (entry: Entry, withinMs: number) => Promise<boolean>;
  /** A line of this process on standard output that is no event, and is not counted as one. */
  readonly announce: (line: string) => void;
  readonly counts: () => readonly (SinkCounts & { readonly sink: string })[];
  readonly close: (graceMs: number) => Promise<void>;
};

export type StreamParts = {
  readonly mode: 'buffered' | 'blocking';
  readonly sinks: readonly Sink[];
  /** Standard output; among the sinks where events go there too. */
  readonly stdout: Sink;
  readonly origin: Origin;
};

/** Joins sinks to one stream. An entry is formatted once for each format that some sink wants. */
export function createAuditStream({ mode, sinks, stdout, origin }: StreamParts): AuditStream {
  const all = new Set([...sinks, stdout]);
  let announced = 0;
  return {
    mode,
    tell: (entry) => {
      const texts = openTexts(entry, origin);
      for (const sink of sinks) sink.write(texts(sink.format));
    },
    keep: async (entry, withinMs) => {
      const texts = openTexts(entry, origin);
      const kept = sinks.map((sink) => sink.keep(texts(sink.format)));
      return await untilKept(kept, withinMs);
    },
    announce: (line) => {
      if (stdout.write(line)) announced += 1;
    },
    counts: () =>
      sinks.map((sink) => {
        const counts = sink.counts();
        const written = Math.max(0, counts.written - (sink === stdout ? announced : 0));
        return { sink: sink.name, ...counts, written };
      }),
    close: async (graceMs) => {
      await Promise.all([...all].map((sink) => sink.close(graceMs)));
    },
  };
}

function openTexts(entry: Entry, origin: Origin): (format: Format) => string {
  const texts: { [format in Format]?: string } = {};
  return (format) => {
    texts[format] ??= writeEntry(format, entry, origin);
    return texts[format];
  };
}

async function untilKept(kept: readonly Kept[], withinMs: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), Math.max(0, withinMs));
  const answers = kept.map(({ isKept }) => isKept);
  // The first that fails decides, so that a full disk costs no check its whole budget.
  for (const answer of answers) void answer.then((isKept) => isKept || late.resolve(false));
  try {
    const whole = Promise.all(answers).then((all) => all.every(Boolean));
    const isKept = await Promise.race([late.promise, whole]);
    if (!isKept) for (const { withdraw } of kept) withdraw();
    return isKept;
  } finally {
    clearTimeout(timer);
  }
}
