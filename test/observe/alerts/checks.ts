import type { Alert } from '../../../src/core/alert.ts';
import type { Answered } from '../../../src/core/answered.ts';
import { decisionFacts } from '../../../src/core/audit.ts';
import type { Policy } from '../../../src/core/policy.ts';
import { compile } from '../../config/policy-file.ts';
import { decide, NOW, type RequestSpec, rawKey, request, sha256 } from '../../core/build.ts';

/** A policy with one key of acme, a sensitive route, and what the test adds. */
export function alertPolicy(more = ''): Promise<Policy> {
  return compile(`
client_ip: peer
api_keys:
  read_from: [bearer]
  prefixes: { pst_: {} }
  declared:
    - { id: key-1, username: ada, workspace: acme, hash: "sha256:${sha256(rawKey())}" }
workspaces: { acme: {} }
routes:
  - { name: vault, path: /vault/**, access: [api_key, anonymous], sensitive: true }
  - { name: all, path: /**, access: [api_key] }
${more}
`);
}

export const WITH_KEY: RequestSpec = { bearer: rawKey() };

/** An answered check, decided by the real core. */
export async function answer(
  judged: Policy,
  asked: RequestSpec = WITH_KEY,
  more: { readonly nowMs?: number; readonly reached?: Answered['decision']['reached'] } = {},
): Promise<Answered> {
  const { nowMs = NOW, reached } = more;
  const decided = await decide(judged, asked, {}, nowMs);
  const decision = reached === undefined ? decided : { ...decided, reached };
  const facts = decisionFacts(judged, decision);
  return { policy: judged, request: request(asked), decision, facts, timeMs: nowMs, tookMs: 1 };
}

/** An alert about a key, as something raised it. */
export function alertOf(more: Partial<Alert> = {}): Alert {
  return { name: 'new_country', timeMs: NOW, subject: 'key-1', keyId: 'key-1', facts: {}, ...more };
}
