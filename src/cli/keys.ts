import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { hashKey, KEY_KINDS, mintKey } from '../core/api-key.ts';
import { mintKsuid } from '../core/ksuid.ts';
import { type Console, UsageError } from './usage.ts';

const USAGE = `postern keys new --prefix P [options]

Makes an API key. Prints the raw key once, and the entry to declare under api_keys.declared.

  --prefix P          as declared under api_keys.prefixes, for instance pst_ (required)
  --name TEXT         what the key is for
  --kind KIND         ${KEY_KINDS.join(', ')} (default service)
  --owner USER        --team TEAM  --workspace ID  --username NAME
  --scopes A,B        --roles A,B  --plan NAME  --environment NAME
  --allowed-ips A,B   --allowed-referers A,B  --allowed-origins A,B  --allowed-routes A,B
  --expires-at TIME   as in 2027-01-31T00:00:00Z
`;

const OPTIONS = {
  prefix: { type: 'string' },
  name: { type: 'string' },
  kind: { type: 'string' },
  owner: { type: 'string' },
  team: { type: 'string' },
  workspace: { type: 'string' },
  username: { type: 'string' },
  scopes: { type: 'string' },
  roles: { type: 'string' },
  plan: { type: 'string' },
  environment: { type: 'string' },
  'allowed-ips': { type: 'string' },
  'allowed-referers': { type: 'string' },
  'allowed-origins': { type: 'string' },
  'allowed-routes': { type: 'string' },
  'expires-at': { type: 'string' },
} as const;

const LISTS = new Set([
  'scopes',
  'roles',
  'allowed-ips',
  'allowed-referers',
  'allowed-origins',
  'allowed-routes',
]);

const RANDOM_BYTES = 128;
const KSUID_BYTES = 16;

/** `postern keys new`: prints a raw key, once, and the entry that declares it. */
export async function keysCommand(args: readonly string[], console: Console): Promise<number> {
  const [action, ...rest] = args;
  if (action !== 'new') throw new UsageError(USAGE);
  const { values } = parseArgs({ args: rest, options: OPTIONS, strict: true });
  const { prefix, ...facts } = values;
  if (prefix === undefined) throw new UsageError(`--prefix is missing\n\n${USAGE}`);
  if (!/^[\w.~-]{0,32}$/.test(prefix))
    throw new UsageError('--prefix: use letters, digits, _ and -');
  const kind = KEY_KINDS.find((one) => one === (facts.kind ?? 'service'));
  if (!kind) throw new UsageError(`--kind is one of ${KEY_KINDS.join(', ')}`);
  const expiresAt = facts['expires-at'];
  if (expiresAt !== undefined && Number.isNaN(Date.parse(expiresAt))) {
    throw new UsageError('--expires-at: write a time as 2027-01-31T00:00:00Z');
  }
  const key = mintKey(prefix, randomBytes(RANDOM_BYTES));
  const id = mintKsuid(randomBytes(KSUID_BYTES), Date.now());
  const entry = [
    `id: ${id}`,
    `name: ${JSON.stringify(facts.name ?? id)}`,
    `hash: "sha256:${hashKey(key)}"`,
    `kind: ${kind}`,
    ...writeFacts(facts),
  ];
  console.out(key);
  console.out('# Shown once. Declare it under api_keys.declared:');
  console.out(`- { ${entry.join(', ')} }`);
  return 0;
}

function writeFacts(facts: { readonly [name: string]: string | undefined }): readonly string[] {
  return Object.entries(facts).flatMap(([name, text]) => {
    if (text === undefined || name === 'name' || name === 'kind') return [];
    const value = LISTS.has(name) ? text.split(',').map((item) => item.trim()) : text;
    return [`${name.replaceAll('-', '_')}: ${JSON.stringify(value)}`];
  });
}
