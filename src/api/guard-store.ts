import { PortFailure } from '../core/ports.ts';
import type { ApiParts } from './parts.ts';

type Method = (...args: readonly unknown[]) => unknown;

/** The same parts, whose store and limits fail with a `PortFailure`: what they answer is 503, and no bug. */
export function guardParts(parts: ApiParts): ApiParts {
  const methods = Object.entries(parts.store).filter(([, method]) => typeof method === 'function');
  const store = Object.fromEntries(
    methods.map(([name, method]) => [name, guard(name, method as Method)]),
  ) as unknown as ApiParts['store'];
  const readLimits = guard('readLimits', parts.readLimits as unknown as Method);
  return {
    ...parts,
    store,
    readLimits: readLimits as unknown as ApiParts['readLimits'],
  };
}

function guard(name: string, method: Method): Method {
  const fail = (cause: unknown): never => {
    throw new PortFailure(`the store failed: ${name}`, { cause });
  };
  return (...args) => {
    try {
      const answer = method(...args);
      return answer instanceof Promise ? answer.catch(fail) : answer;
    } catch (cause) {
      return fail(cause);
    }
  };
}
