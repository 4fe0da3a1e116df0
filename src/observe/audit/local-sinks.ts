import { descriptorTarget } from './descriptor.ts';
import { type LogFileOptions, openLogFile } from './disk/log-file.ts';
import { openJournal } from './journal.ts';
import { type Chain, sealingOf } from './sealing.ts';
import type { Format, Sink } from './sink.ts';

/** What every sink is told. */
export type SinkOptions = {
  readonly name: string;
  readonly format: Format;
  readonly mode: 'buffered' | 'blocking';
  readonly chain: Chain;
  readonly onFailure: (cause: unknown) => void;
};

/** Events wait in memory for at most 100 ms while their disk keeps up: so long they are collected, the rest is writing. */
export const BATCH_MS = 50;
/** Standard output has no disk behind it, and often a person before it. */
const STDOUT_BATCH_MS = 20;

/** Standard output, or another descriptor. What a broken pipe does not take is lost. */
export function openDescriptorSink(descriptor: number, options: SinkOptions): Sink {
  const { name, format, onFailure } = options;
  const journal = openJournal({
    target: descriptorTarget(descriptor),
    batchMs: STDOUT_BATCH_MS,
    isSynced: false,
    sealing: sealingOf(options, undefined),
    isTriedAgain: false,
    onFailure,
  });
  return { name, format, ...journal };
}

/** A file with rotation; a chain goes on from its last line. */
export async function openFileSink(file: LogFileOptions, options: SinkOptions): Promise<Sink> {
  const { name, format, onFailure } = options;
  const target = await openLogFile(file);
  const journal = openJournal({
    target,
    batchMs: BATCH_MS,
    isSynced: options.mode === 'blocking',
    sealing: sealingOf(options, target.lastLine),
    isTriedAgain: true,
    onFailure,
  });
  return { name, format, ...journal };
}
