import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mintKey } from '../core/api-key.ts';
import type { Given } from './arguments.ts';
import type { Command } from './command.ts';
import { DEFAULT_CONFIG } from './connect.ts';
import { printableJson } from './printable.ts';
import type { Session } from './session.ts';
import { UsageError } from './usage.ts';

/** What a secret scanner is told of one kind of key. */
export type ScannerEntry = {
  /** The name that its reports call it by. */
  readonly type: string;
  readonly prefix: string;
  readonly environment: string | null;
  readonly pattern: string;
  /** Keys in form that nobody holds. */
  readonly samples: readonly string[];
};

const RANDOM_BYTES = 128;
const SAMPLES = 3;
const SAMPLES_MAX = 1000;

const options = {
  config: { value: 'PATH', help: 'the policy with the prefixes (default: postern.yaml, or pst_)' },
  samples: { value: 'N', help: `sample tokens of each prefix (default ${SAMPLES})` },
  json: { help: 'print as JSON' },
};

/** `keys scanner`: what secret scanners ask for. */
export function keysScannerCommand(): Command {
  return {
    name: 'keys scanner',
    summary: 'print what secret scanners ask for: pattern and sample tokens',
    options,
    notes: [
      'Publishable prefixes are left out, because their keys may be public; so are those without',
      'a checksum, because too much else looks like them. Samples are in form, random, and stored nowhere.',
    ],
    run: async (given, session) => {
      const samples = readCount(given.text['samples']);
      const read = await findPrefixes(given, session);
      if ('problems' in read) {
        for (const problem of read.problems) session.err(problem);
        return 2;
      }
      const entries = scannerEntries(read, samples, (size) => randomBytes(size));
      if (entries.length === 0) {
        session.err('no prefix is both secret and with checksum: there is nothing to look for');
        return 1;
      }
      if (given.flags.has('json')) {
        session.out(printableJson({ data: entries, endpoint: ENDPOINT }));
        return 0;
      }
      for (const line of entries.flatMap(writeEntry)) session.out(line);
      for (const line of PARTNER_FORM) session.err(line);
      return 0;
    },
  };
}

type Prefixes = {
  readonly product: string;
  readonly prefixes: {
    readonly [prefix: string]: {
      readonly environment?: string | undefined;
      readonly publishable: boolean;
      readonly checksum: boolean;
    };
  };
};

const DEFAULTS: Prefixes = {
  product: 'postern',
  prefixes: { pst_: { publishable: false, checksum: true } },
};

/** The entries of a policy's prefixes. */
export function scannerEntries(
  { product, prefixes }: Prefixes,
  samples: number,
  random: (size: number) => Uint8Array,
): readonly ScannerEntry[] {
  const judged = Object.entries(prefixes).filter(
    ([prefix, { publishable, checksum }]) => prefix !== '' && checksum && !publishable,
  );
  const name = product.toLowerCase().replace(/[^a-z0-9]+/g, '_');
  return judged.map(([prefix, { environment }]) => {
    const word = prefix
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^_|_$/g, '');
    return {
      type: judged.length === 1 ? `${name}_api_key` : `${name}_api_key_${word}`,
      prefix,
      environment: environment ?? null,
      pattern: patternOf(prefix),
      samples: Array.from({ length: samples }, () => mintKey(prefix, random(RANDOM_BYTES))),
    };
  });
}

/** The regular expression of a prefix; `\b` stands before it only where it begins a word. */
export function patternOf(prefix: string): string {
  const start = /^\w/.test(prefix) ? '\\b' : '';
  return `${start}${prefix.replaceAll('.', '\\.')}[0-9A-Za-z]{38}\\b`;
}

const ENDPOINT = '/v1/leaked-keys';

const PARTNER_FORM = [
  'For the partner programme of GitHub secret scanning, send:',
  '  name of the secret type   the type above',
  '  regular expression        the pattern above',
  '  sample tokens             those above; the last six characters are a CRC-32 of the rest',
  `  endpoint                  https://<your host>${ENDPOINT} (api_keys.leaked in the policy)`,
];

function writeEntry({ type, environment, pattern, samples }: ScannerEntry): readonly string[] {
  return [
    `type     ${type}${environment === null ? '' : ` (${environment})`}`,
    `pattern  ${pattern}`,
    ...samples.map((sample) => `sample   ${sample}`),
    '',
  ];
}

async function findPrefixes(
  { text }: Given,
  { env, now }: Session,
): Promise<Prefixes | { readonly problems: readonly string[] }> {
  const found = existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined;
  const path = text['config'] ?? (env['POSTERN_CONFIG'] || found);
  if (path === undefined) return DEFAULTS;
  const { loadPolicy } = await import('../config/load.ts');
  const { writeProblem } = await import('../config/problem.ts');
  const loaded = loadPolicy({ path, env, nowMs: now() });
  if (!loaded.config) return { problems: loaded.problems.map(writeProblem) };
  return { product: loaded.config.product, prefixes: loaded.config.api_keys.prefixes };
}

function readCount(text: string | undefined): number {
  const count = Number(text ?? SAMPLES);
  if (/^\d{1,4}$/.test(text ?? '1') && count <= SAMPLES_MAX) return count;
  throw new UsageError(`--samples: expected a number up to ${SAMPLES_MAX}`);
}
