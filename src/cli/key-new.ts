import { randomBytes } from 'node:crypto';
import { hashKey, KEY_KINDS, mintKey } from '../core/api-key.ts';
import { mintKsuid } from '../core/ksuid.ts';
import type { Command } from './command.ts';
import { bodyOf, type Field, optionsOf } from './field.ts';
import { KEYS } from './key-resource.ts';
import { UsageError } from './usage.ts';

const RANDOM_BYTES = 128;
const KSUID_BYTES = 16;
const KEPT = [
  'name',
  'kind',
  'owner',
  'username',
  'scopes',
  'roles',
  'plan',
  'environment',
  'allowed_ips',
  'allowed_referers',
  'allowed_origins',
  'allowed_routes',
  'expires_at',
];

/** What a policy says of a declared key: a stored one's facts, its workspace and team by other names. */
const FIELDS: readonly Field[] = [
  ...KEYS.fields.filter(({ field }) => KEPT.includes(field)),
  { option: 'team', field: 'team', form: 'text', value: 'TEAM', help: 'its team' },
  { option: 'workspace', field: 'workspace', form: 'text', value: 'ID', help: 'its workspace' },
];

/** `keys new`: prints a raw key, once, and the entry that declares it. Nothing is stored. */
export function keysNewCommand(): Command {
  return {
    name: 'keys new',
    summary: 'make a key for the policy, and the entry to declare there',
    options: {
      prefix: { value: 'P', help: 'as under api_keys.prefixes, for instance pst_ (required)' },
      ...optionsOf(FIELDS),
    },
    notes: ['Prints the raw key, this once, and the entry for api_keys.declared. Stores nothing.'],
    run: async (given, session) => {
      const prefix = given.text['prefix'];
      if (prefix === undefined)
        throw new UsageError('--prefix is missing\nsee: postern keys new --help');
      if (!/^[\w.~-]{0,32}$/.test(prefix)) {
        throw new UsageError('--prefix: use letters, digits, _ and -');
      }
      const { kind = 'service', name, ...facts } = bodyOf(FIELDS, given, session.now());
      if (!KEY_KINDS.some((one) => one === kind)) {
        throw new UsageError(`--kind is one of ${KEY_KINDS.join(', ')}`);
      }
      const key = mintKey(prefix, randomBytes(RANDOM_BYTES));
      const id = mintKsuid(randomBytes(KSUID_BYTES), session.now());
      const entry = [
        `id: ${id}`,
        `name: ${JSON.stringify(name ?? id)}`,
        `hash: "sha256:${hashKey(key)}"`,
        `kind: ${kind}`,
        ...Object.entries(facts).map(([field, value]) => `${field}: ${JSON.stringify(value)}`),
      ];
      session.out(key);
      session.out('# Shown once. Declare it under api_keys.declared:');
      session.out(`- { ${entry.join(', ')} }`);
      return 0;
    },
  };
}
