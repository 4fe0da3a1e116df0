import {
  type ApiAnswer,
  type Entry,
  type Json,
  type KeyState,
  type Server,
  type Step,
  settle,
} from './durability-ledger.ts';
import { checkKey } from './durability-load.ts';

const ENDED_ASKED = 4;
const LISTED = 200;
const AT_ONCE = 16;

/** Finds out what became of a change that nobody acknowledged: all of it, or nothing. Answers what is wrong. */
export async function resolvePending(server: Server, entry: Entry): Promise<readonly string[]> {
  const { pending: step, state: before } = entry;
  if (!step) return [];
  const happened = await eventsNamed(server, step, before);
  const isDone = happened.length === 1;
  if (happened.length > 1) return [`${step.name} has ${happened.length} events`];
  if (step.isRepeatable) return askAgain(server, { entry, step, isDone });
  if (isDone) settle(entry, step, {});
  entry.pending = undefined;
  return [];
}

/** Asks again under the same Idempotency-Key, twice: whatever happened before, it happens once. */
async function askAgain(
  server: Server,
  { entry, step, isDone }: { readonly entry: Entry; readonly step: Step; readonly isDone: boolean },
): Promise<readonly string[]> {
  const isBirth = entry.state === undefined;
  const copies = isBirth ? await countNamed(server, entry.name) : 1;
  const [first, second] = [await server.ask(step.call), await server.ask(step.call)];
  if (!first || !isSameAnswer(first, second) || first.status > 201) {
    return [`${step.name} asked again: ${first?.status}, then ${second?.status}`];
  }
  settle(entry, step, first.body);
  const story = {
    isReplayed: first.isReplayed,
    copies,
    copiesAfter: isBirth ? await countNamed(server, entry.name) : 1,
    eventsAfter: (await eventsNamed(server, step, entry.state)).length,
  };
  const due = { isReplayed: isDone, copies: isBirth && !isDone ? 0 : 1 };
  const expected = JSON.stringify({ ...due, copiesAfter: 1, eventsAfter: 1 });
  const seen = JSON.stringify(story);
  return seen === expected ? [] : [`${step.name} asked again: ${seen}, not ${expected}`];
}

function isSameAnswer(first: ApiAnswer, second: ApiAnswer | undefined): boolean {
  return (
    second?.isReplayed === true &&
    second.status === first.status &&
    JSON.stringify(second.body) === JSON.stringify(first.body)
  );
}

async function eventsNamed(server: Server, step: Step, state: KeyState | undefined) {
  const path = state
    ? `/v1/audit-events?event=key.*&object=${state.id}`
    : '/v1/audit-events?event=key.created';
  const events = await listAll(server, path, LISTED);
  return events.filter((event) => event['request_id'] === step.name);
}

/** Keys of a name, which is a key's own, among those made lately. */
async function countNamed(server: Server, name: string): Promise<number> {
  const keys = await listAll(server, '/v1/api-keys', LISTED);
  return keys.filter((key) => key['name'] === name).length;
}

/** What the API and the gate say of keys against what is known of them. Answers what is wrong. */
export async function compareEntries(
  server: Server,
  entries: readonly Entry[],
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    const some = entries.slice(at, at + AT_ONCE);
    const found = await Promise.all(some.map((entry) => compareEntry(server, entry)));
    faults.push(...found.flat());
  }
  return faults;
}

async function compareEntry(server: Server, entry: Entry): Promise<readonly string[]> {
  const { state, ended, name } = entry;
  if (!state) return [];
  const shown = await server.ask({ method: 'GET', path: `/v1/api-keys/${state.id}` });
  const { status, description, scopes } = state;
  const seen = shown && { ...pick(shown.body, ['status', 'description', 'scopes']) };
  const faults: string[] = [];
  if (JSON.stringify(seen) !== JSON.stringify({ status, description, scopes })) {
    faults.push(`${name} is ${JSON.stringify(seen)}, not ${status} ${description} ${scopes}`);
  }
  const refused = { active: undefined, disabled: 'key_disabled', revoked: 'key_revoked' }[status];
  const canWrite = scopes.includes('docs:write');
  const questions: readonly Question[] = [
    ['/read', state.secret, refused],
    ['/write', state.secret, refused ?? (canWrite ? undefined : 'insufficient_scope')],
    ...(state.graced === undefined ? [] : [['/read', state.graced, refused] as const]),
  ];
  for (const question of questions) faults.push(...(await compareAnswer(server, name, question)));
  for (const secret of ended.slice(-ENDED_ASKED)) {
    const answer = await checkKey(server, '/read', secret);
    if (!answer || answer.allowed) faults.push(`${name}: a secret that was rotated out is let in`);
  }
  return faults;
}

type Question = readonly [path: string, secret: string, reason: string | undefined];

async function compareAnswer(
  server: Server,
  name: string,
  [path, secret, expected]: Question,
): Promise<readonly string[]> {
  const answer = await checkKey(server, path, secret);
  const isRight = answer?.reason === expected && answer?.allowed === (expected === undefined);
  if (isRight) return [];
  return [`${name} at ${path}: ${answer?.reason ?? 'allow'}, not ${expected ?? 'allow'}`];
}

function pick(body: Json, names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, body[name]]));
}

/** Up to so many items of a list, page by page. Throws where there is no list. */
export async function listAll(
  server: Server,
  path: string,
  most = Number.POSITIVE_INFINITY,
): Promise<readonly Json[]> {
  const items: Json[] = [];
  let cursor: unknown = null;
  do {
    const query = `${path.includes('?') ? '&' : '?'}limit=200${cursor === null ? '' : `&cursor=${cursor}`}`;
    const page = await server.ask({ method: 'GET', path: path + query });
    const data = page?.body['data'];
    if (!page || !Array.isArray(data)) throw new Error(`no list of ${path}: ${page?.status}`);
    items.push(...data);
    cursor = page.body['next_cursor'];
  } while (cursor !== null && items.length < most);
  return items;
}
