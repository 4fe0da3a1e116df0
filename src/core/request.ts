import type { Address } from './address.ts';
import type { RequestFault } from './decision.ts';
import type { Target } from './target.ts';

/** Header name (lower case, as sent by Envoy) to its values, one per line of the request; a character is a byte. */
export type Headers = ReadonlyMap<string, readonly string[]>;

/** One HTTP request as the core sees it; `fault` says why it cannot be judged at all. */
export type Request = {
  readonly id: string;
  readonly method: string;
  readonly scheme: string;
  /** Lower case, without default port and trailing dot. */
  readonly host: string;
  readonly target: Target;
  readonly headers: Headers;
  /** Undefined when no client address is known: address rules then refuse. */
  readonly address: Address | undefined;
  /** Envoy did not append its own entry to X-Forwarded-For, so nothing in it can be believed. */
  readonly isAddressUntrusted: boolean;
  /** Envoy's per-route `context_extensions`; a client cannot set them. */
  readonly context: ReadonlyMap<string, string>;
  readonly fault?: RequestFault | undefined;
};

/** The only value of a header, or undefined when it is absent or sent more than once. */
export function soleHeader(headers: Headers, name: string): string | undefined {
  const values = headers.get(name);
  return values?.length === 1 ? values[0] : undefined;
}

/** In a Referer a comma means a second value only before a URL or `null`: paths hold commas. */
const SECOND_REFERER = /,\s*(?:https?:|null\s*(?:,|$))/i;

/** Whether Origin or Referer holds two values, on two lines or joined by a comma. */
export function hasSecondOrigin(headers: Headers): boolean {
  return (
    hasSecondValue(headers.get('origin'), /,/) ||
    hasSecondValue(headers.get('referer'), SECOND_REFERER)
  );
}

function hasSecondValue(values: readonly string[] | undefined, joint: RegExp): boolean {
  return values !== undefined && (values.length > 1 || joint.test(values[0] ?? ''));
}

/** Whether the request speaks gRPC (`content-type: application/grpc`, `+proto`, `-web` ...). */
export function isGrpc(request: Request): boolean {
  return soleHeader(request.headers, 'content-type')?.startsWith('application/grpc') === true;
}
