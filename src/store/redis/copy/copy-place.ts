import type { Keyspace } from '../keyspace.ts';
import { type Call, RedisDown } from '../link/link.ts';
import type { OpenLink } from '../link/open-link.ts';

/** What a copy reads from or writes to. */
export type CopyPlace = { readonly link: OpenLink; readonly keyspace: Keyspace };

const ATTEMPTS_MAX = 20;
const AGAIN_MS = 500;

/**
 * The same link, which asks again where Redis did not answer: a copy outlives a failover. Only for what may be done
 * twice.
 */
export function patientLink(link: OpenLink): OpenLink {
  const runAside = async (call: Call): Promise<unknown> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await link.runAside(call);
      } catch (cause) {
        if (!(cause instanceof RedisDown) || attempt === ATTEMPTS_MAX) throw cause;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  };
  return { ...link, runAside };
}
