import type { OcsfEvent, Origin } from './event.ts';

/** What the envelope says of an event. */
export type Envelope = {
  readonly id: string;
  /** RFC 3339. */
  readonly time: string;
  /** Behind `dev.postern.`: `check.allowed`, `key.created`. */
  readonly type: string;
  /** The request of a check, or the object of a change. */
  readonly subject?: string | undefined;
};

const TYPE_PREFIX = 'dev.postern.';

/** An event in its CloudEvents 1.0 envelope, as JSON. A chain appends its extensions. */
export function envelope({ id, time, type, subject }: Envelope, data: OcsfEvent, origin: Origin) {
  return JSON.stringify({
    specversion: '1.0',
    id,
    source: sourceOf(origin),
    type: `${TYPE_PREFIX}${type}`,
    ...(subject ? { subject } : {}),
    time,
    datacontenttype: 'application/json',
    data,
  });
}

/** A URI reference; the id of an event is unique whatever its source is. */
function sourceOf({ product, instance }: Origin): string {
  return `/postern/${encodeURIComponent(product)}/${encodeURIComponent(instance)}`;
}
