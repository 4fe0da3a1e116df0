import { expect, test } from 'vitest';
import { decisionFacts } from '../../../src/core/audit.ts';
import type { Entry } from '../../../src/observe/audit/format.ts';
import {
  createKeeper,
  createRecorder,
  type RecorderOptions,
} from '../../../src/observe/audit/recorder.ts';
import { decide, NOW, policy, type RequestSpec, rawKey, request } from '../../core/build.ts';

const RAW = rawKey();
const SPEC = {
  keys: [{ raw: RAW, id: 'k1' }],
  routes: [
    { name: 'safe', path: '/safe', access: ['api_key'], httpsOnly: true },
    { name: 'open', path: '/open', access: 'public' },
  ],
} as const;

/** What is kept before an answer, and what is told after it, of one request. */
async function recordsOf(asked: RequestSpec, isKept: (entry: Entry) => boolean) {
  const judged = policy(SPEC);
  const decision = await decide(judged, asked);
  const kept: Entry[] = [];
  const told: Entry[] = [];
  const nothing = () => {};
  const audit = {
    keep: async (entry: Entry) => kept.push(entry) > 0 && isKept(entry),
    tell: (entry: Entry) => void told.push(entry),
  };
  const metrics = new Proxy({}, { get: () => nothing }) as RecorderOptions['metrics'];
  const store = { recordEvent: nothing, recordUse: nothing };
  const options = { metrics, audit, mask: String, makeId: () => 'e', store };
  const facts = decisionFacts(judged, decision);
  const around = { timeMs: NOW, tookMs: 1 };
  const answered = { policy: judged, request: request(asked), decision, facts, ...around };
  const isDone = await createKeeper(options)(answered, 100);
  createRecorder(options)({ ...answered, isKept: isDone });
  return { isDone, kept: kept.map(({ kind }) => kind), told: told.map(({ kind }) => kind) };
}

const EXPOSED: RequestSpec = { path: '/safe', scheme: 'http', bearer: RAW };

test('a check waits for its own event, and for that of a key in danger', async () => {
  expect(await recordsOf({ path: '/open' }, () => true)).toEqual({
    ...{ isDone: true, kept: ['decision'], told: [] },
  });
  expect(await recordsOf(EXPOSED, () => true)).toEqual({
    ...{ isDone: true, kept: ['decision', 'notice'], told: [] },
  });
});

test('where one of them is not recorded, the check is not', async () => {
  const { isDone, told } = await recordsOf(EXPOSED, ({ kind }) => kind === 'decision');
  expect({ isDone, told }).toEqual({ isDone: false, told: ['decision', 'notice'] });
});
