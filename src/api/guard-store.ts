import { guardPort } from '../core/ports.ts';
import type { ApiParts } from './parts.ts';

type Method = (...args: readonly unknown[]) => unknown;

/** The same parts, whose store and limits fail with a `PortFailure`: what they answer is 503, and no bug. */
export function guardParts(parts: ApiParts): ApiParts {
  const methods = Object.entries(parts.store).filter(([, method]) => typeof method === 'function');
  const store = Object.fromEntries(
    methods.map(([name, method]) => [name, guardPort(name, method as Method)]),
  ) as unknown as ApiParts['store'];
  return { ...parts, store, readLimits: guardPort('readLimits', parts.readLimits) };
}
