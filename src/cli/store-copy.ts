import { type NamedStore, readStoreName } from '../config/store-name.ts';
import { ITEM_KINDS, type ItemKind, type Tally } from '../core/store-copy.ts';
import type { Given, Options } from './arguments.ts';
import type { Command } from './command.ts';
import { printable, printableJson } from './printable.ts';
import { openProgress } from './progress.ts';
import type { Session } from './session.ts';
import { openTable } from './table.ts';
import { UsageError } from './usage.ts';

type Outcome = Awaited<ReturnType<typeof import('../app.ts').copyStores>>;
type Refused = Extract<Outcome, { readonly refused: string }>;
type Counted = Exclude<Outcome, Refused>;

const OPTIONS: Options = {
  resume: { help: 'go on with a copy that was interrupted' },
  json: { help: 'print the counts as JSON' },
};

const GO_ON =
  'what to do: once that is mended, the same command with --resume goes on where it stopped';

/** `store copy`. */
export function storeCopyCommand(): Command {
  return {
    name: 'store copy',
    summary: 'copy everything that a store keeps into another, which is empty',
    operands: ['FROM', 'TO'],
    options: OPTIONS,
    notes: [
      'FROM and TO are sqlite:PATH, redis://host:port or rediss://host:port (several with commas: a Cluster), or a',
      'policy file, whose store is meant. Arguments show in the list of processes: a password belongs into a policy,',
      'as ${file:/run/secrets/redis} or an environment variable; so do TLS files, sentinels and a namespace.',
      'Stop the servers that write to FROM first. At the end both are counted; differences are exit code 1.',
    ],
    run: copy,
  };
}

async function copy(given: Given, session: Session): Promise<number> {
  const [fromText = '', toText = ''] = given.operands;
  const from = readName('FROM', fromText, session);
  const to = readName('TO', toText, session);
  const { copyStores } = await import('../app.ts');
  const progress = openProgress(session);
  let isBegun = false;
  const options = {
    resume: given.flags.has('resume'),
    now: session.now,
    onBegin: () => {
      isBegun = true;
    },
    onProgress: progress.tell,
  };
  const outcome = await copyStores({ from, to }, options).catch((cause) => {
    progress.end();
    throw new Error(isBegun ? `${deepest(cause)}\n${GO_ON}` : deepest(cause), { cause });
  });
  progress.end();
  if ('refused' in outcome) {
    for (const line of writeRefusal(outcome)) session.err(printable(line));
    return 1;
  }
  if (given.flags.has('json')) session.out(printableJson(shownOf(outcome)));
  else printTable(outcome, session);
  for (const line of writeNotes(outcome)) session.err(line);
  return outcome.differing.length === 0 ? 0 : 1;
}

function readName(operand: string, text: string, session: Session): NamedStore {
  const named = readStoreName(text, { env: session.env, nowMs: session.now() });
  if ('place' in named) return named;
  const lines = named.problems.map((problem) => printable(`${operand}: ${problem}`));
  throw new UsageError([...lines, 'see: postern store copy --help'].join('\n'));
}

/** What failed, not that the store did. */
function deepest(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause === undefined ? cause.message : deepest(cause.cause);
}

const REFUSALS: { readonly [K in Exclude<Refused['refused'], 'target_not_empty'>]: string } = {
  source_unfinished:
    'FROM is itself the target of a copy that was not ended: end that first, by --resume',
  target_unfinished:
    'a copy into TO was begun and not ended: --resume goes on with it; or take another that is empty',
  nothing_to_resume: 'no copy into TO was interrupted: leave --resume out',
};

function writeRefusal(refused: Refused): readonly string[] {
  if (refused.refused !== 'target_not_empty') return [`refused: ${REFUSALS[refused.refused]}`];
  const { standing } = refused;
  const found = ITEM_KINDS.filter((kind) => standing[kind] > 0);
  return [
    `refused: TO is not empty: it keeps ${found.map((kind) => `${standing[kind]} ${kind}`).join(', ')}`,
    'what to do: name a file that is not there yet, or for Redis a policy with another store.namespace',
  ];
}

function shownOf({ from, to, differing, changed, lost }: Counted) {
  return { from, to, differing, changed, counters_begun_anew: lost };
}

function printTable({ from, to }: Counted, session: Session): void {
  const row = (kind: ItemKind, one: Tally) => String(one[kind]);
  const table = openTable(
    [
      { title: 'kind', of: 'kind' },
      { title: 'FROM', of: 'from' },
      { title: 'TO', of: 'to' },
    ],
    session.out,
  );
  table.add(ITEM_KINDS.map((kind) => ({ kind, from: row(kind, from), to: row(kind, to) })));
}

function writeNotes({ from, to, differing, changed, lost }: Counted): readonly string[] {
  const notes: string[] = [];
  if (lost > 0) {
    notes.push(`${lost} counters begin anew: Redis keeps them without the names that a file needs`);
  }
  if (changed.length > 0) {
    notes.push(`FROM was changed meanwhile (${changed.join(', ')}): stop what writes to it`);
  }
  for (const kind of differing) {
    notes.push(`differs: ${kind}: FROM keeps ${from[kind]}, TO keeps ${to[kind]}`);
  }
  if (differing.length > 0) {
    notes.push(
      'what to do: --resume adds what is missing; where TO keeps more, begin anew with an empty one',
    );
  }
  return notes;
}
