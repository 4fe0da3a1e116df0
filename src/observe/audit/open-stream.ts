import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { Carrier } from './deliver/delivery.ts';
import { createStreamCarrier } from './deliver/redis-carrier.ts';
import { openStreamConnection, type StreamPlace } from './deliver/redis-connection.ts';
import { createWebhookCarrier, type Sender } from './deliver/webhook-carrier.ts';
import { openDescriptorSink, openFileSink, type SinkOptions } from './local-sinks.ts';
import type { Origin } from './ocsf/event.ts';
import type { Format, Sink } from './sink.ts';
import { openSpoolSink } from './spool-sink.ts';
import { type AuditStream, createAuditStream } from './stream.ts';

/** Where a sink is; paths are those of the file system, and a stream has its Redis. */
export type SinkPlace =
  | { readonly kind: 'stdout'; readonly format: Format }
  | {
      readonly kind: 'file';
      readonly format: Format;
      readonly path: string;
      readonly maxBytes: number;
      readonly keepFiles: number;
    }
  | {
      readonly kind: 'redis';
      readonly format: Format;
      readonly redis: StreamPlace;
      readonly stream: string;
      readonly maxLength: number;
    }
  | {
      readonly kind: 'webhook';
      readonly format: Format;
      readonly url: string;
      readonly secret: string;
    };

export type StreamSettings = Pick<SinkOptions, 'mode' | 'chain'> & {
  readonly sinks: readonly SinkPlace[];
  /** The folder where events wait for what is far away. */
  readonly spool?: string | undefined;
  readonly spoolMaxBytes: number;
};

/** What a stream is opened with. */
export type StreamWorld = {
  readonly origin: Origin;
  /** The descriptor of standard output. */
  readonly stdout: number;
  /** Makes the sender of a webhook; `name` is its label in metrics. */
  readonly makeSender: (target: {
    readonly url: string;
    readonly secret: string;
    readonly name: string;
  }) => Sender;
  /** A sink failed; it goes on by itself. */
  readonly onFailure: (sink: string, cause: unknown) => void;
};

/** Opens every sink. Rejects where a file or spool cannot be opened, or another process has it; then none is open. */
export async function openAuditStream(
  settings: StreamSettings,
  world: StreamWorld,
): Promise<AuditStream> {
  const names = namesOf(settings.sinks);
  const sinks: Sink[] = [];
  let stdout: Sink | undefined;
  try {
    for (const [index, place] of settings.sinks.entries()) {
      const sink = await openSink(place, names[index] ?? '', { settings, world });
      if (place.kind === 'stdout') stdout = sink;
      sinks.push(sink);
    }
  } catch (cause) {
    await Promise.all(sinks.map((sink) => sink.close(0)));
    throw cause;
  }
  const { mode } = settings;
  const plain = { name: 'stdout', format: 'postern', mode, chain: false } as const;
  stdout ??= openDescriptorSink(world.stdout, { ...plain, onFailure: () => {} });
  return createAuditStream({ mode, sinks, stdout, origin: world.origin });
}

type Around = { readonly settings: StreamSettings; readonly world: StreamWorld };

async function openSink(place: SinkPlace, name: string, around: Around): Promise<Sink> {
  const { settings, world } = around;
  const { mode, chain } = settings;
  const onFailure = (cause: unknown) => world.onFailure(name, cause);
  const options: SinkOptions = { name, format: place.format, mode, chain, onFailure };
  switch (place.kind) {
    case 'stdout':
      return openDescriptorSink(world.stdout, options);
    case 'file':
      return await openFileSink(place, options);
    case 'redis':
    case 'webhook': {
      const carrier = await openCarrier(place, options, world);
      try {
        const folder = join(settings.spool ?? '', folderOf(place));
        return await openSpoolSink({ folder, carrier, maxBytes: settings.spoolMaxBytes }, options);
      } catch (cause) {
        await carrier.close();
        throw cause;
      }
    }
  }
}

async function openCarrier(
  place: Extract<SinkPlace, { kind: 'redis' | 'webhook' }>,
  { name, onFailure }: SinkOptions,
  { makeSender }: StreamWorld,
): Promise<Carrier> {
  if (place.kind === 'webhook') {
    const { url, secret, format } = place;
    return createWebhookCarrier(makeSender({ url, secret, name }), format, Date.now);
  }
  const { stream, maxLength } = place;
  const connection = await openStreamConnection(place.redis, onFailure);
  return createStreamCarrier(connection, { stream, maxLength, onFailure });
}

/**
 * The folder of a sink in the spool, the same after each start: what waits in it was written for this receiver in this
 * format. Secrets are no part of it, so that a new one goes on where the old one ended.
 */
function folderOf(place: Extract<SinkPlace, { kind: 'redis' | 'webhook' }>): string {
  const receiver =
    place.kind === 'webhook'
      ? [place.url]
      : [place.stream, place.redis.sentinel ?? '', ...place.redis.urls.map(withoutUser)];
  const identity = JSON.stringify([place.kind, place.format, ...receiver]);
  return `${place.kind}-${hash('sha256', identity, 'hex').slice(0, 16)}`;
}

function withoutUser(text: string): string {
  const url = URL.parse(text);
  return url ? `${url.host}${url.pathname}` : '';
}

/** `file`, and `file-2` for the second of a kind. */
function namesOf(places: readonly SinkPlace[]): readonly string[] {
  const counts = new Map<string, number>();
  return places.map(({ kind }) => {
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    return count === 1 ? kind : `${kind}-${count}`;
  });
}
