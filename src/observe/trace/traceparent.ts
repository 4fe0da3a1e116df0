/** Where a span stands in a trace: ids in lower-case hexadecimal digits, neither of them all zeros. */
export type TraceParent = {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
};

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/s;
/** No form has more; what is longer is not looked at. */
const CHARS_MAX = 512;
const NO_VERSION = 'ff';
const KNOWN_VERSION = '00';
const SAMPLED = 1;
const ZEROS = /^0+$/;

/**
 * Reads a `traceparent` (W3C Trace Context, section 3.2). Undefined for what is none: the version ff, ids of zeros,
 * capitals, anything more in version 00. A later version may have more fields, which are passed over.
 */
export function parseTraceparent(text: string): TraceParent | undefined {
  if (text.length > CHARS_MAX) return undefined;
  const parts = FORM.exec(text);
  if (!parts) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = parts;
  if (version === NO_VERSION || (version === KNOWN_VERSION && more !== undefined)) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

/** The `traceparent` of a message that names exactly one. */
export function readTraceparent(values: readonly string[] | undefined): TraceParent | undefined {
  const [sole, second] = values ?? [];
  return sole === undefined || second !== undefined ? undefined : parseTraceparent(sole);
}
