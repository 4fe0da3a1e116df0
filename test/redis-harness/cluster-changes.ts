import type { ClusterNode } from './cluster.ts';
import { waitFor } from './wait.ts';

type Running = () => readonly ClusterNode[];
type NodeView = Pick<ClusterNode, 'cli'>;

/** A line of `CLUSTER NODES`. */
type NodeLine = {
  readonly id: string;
  readonly isMaster: boolean;
  /** The id of its master, where it is a replica. */
  readonly follows: string;
  readonly ranges: readonly (readonly [number, number])[];
};

/** Reads the answer of `CLUSTER NODES`. */
export function parseNodes(reply: unknown): readonly NodeLine[] {
  return String(reply)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', , flags = '', follows = '', , , , , ...slots] = line.split(' ');
      const ranges = slots
        .filter((part) => !part.startsWith('['))
        .map((part) => {
          const [first, last = first] = part.split('-').map(Number);
          return [first ?? -1, last ?? -1] as const;
        });
      return { id, isMaster: flags.includes('master'), follows, ranges };
    });
}

/** Waits until all nodes serve all slots, agree on who serves which, and every replica follows its master. */
export async function untilOk(running: () => readonly NodeView[]): Promise<void> {
  await waitFor('the cluster is ok', async () => {
    const nodes = running();
    const areOk = await Promise.all(nodes.map((node) => isOk(node).catch(() => false)));
    if (areOk.includes(false)) return false;
    const views = await Promise.all(nodes.map(viewOf));
    return new Set(views).size === 1;
  });
}

async function isOk(node: NodeView): Promise<boolean> {
  const state = String(await node.cli('CLUSTER', 'INFO'));
  if (!state.includes('cluster_state:ok') || !state.includes('cluster_slots_ok:16384'))
    return false;
  const replication = String(await node.cli('INFO', 'replication'));
  return replication.includes('role:master') || replication.includes('master_link_status:up');
}

/** Who serves which slots and who follows whom, as one node sees it. */
async function viewOf(node: NodeView): Promise<string> {
  const nodes = parseNodes(await node.cli('CLUSTER', 'NODES'));
  return nodes
    .map(({ id, follows, ranges }) => `${id} ${follows} ${ranges.join(' ')}`)
    .sort()
    .join('\n');
}

/** How far a move of slots is: announced, half of the keys moved, all keys moved and the slots not yet handed over. */
export type Stage = 'open' | 'half' | 'moved';

type Place = {
  readonly running: Running;
  readonly masterOf: (slot: number) => Promise<ClusterNode>;
};

/** Moves slots to another master, as `redis-cli --cluster reshard` does. */
export async function reshard(
  { running, masterOf }: Place,
  slots: readonly number[],
  to: ClusterNode,
  during: (stage: Stage) => Promise<unknown> = async () => undefined,
): Promise<void> {
  const moves = await Promise.all(
    slots.map(async (slot) => ({ slot, from: await masterOf(slot), to })),
  );
  for (const { slot, from } of moves) {
    await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
    await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
  }
  await during('open');
  for (const move of moves) await moveKeys(move, 0.5);
  await during('half');
  for (const move of moves) await moveKeys(move, 1);
  await during('moved');
  for (const move of moves) await handOver(move, running());
  await untilOk(running);
}

type Move = { readonly slot: number; readonly from: ClusterNode; readonly to: ClusterNode };

/** Moves a part of the keys that stand in a slot. */
async function moveKeys({ slot, from, to }: Move, part: number): Promise<void> {
  const count = Number(await from.cli('CLUSTER', 'COUNTKEYSINSLOT', slot));
  const keys = await from.cli('CLUSTER', 'GETKEYSINSLOT', slot, Math.ceil(count * part));
  if (!Array.isArray(keys) || keys.length === 0) return;
  await from.cli('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys.map(String));
}

/** The new owner first: were it the old one, both would answer MOVED to each other. */
async function handOver({ slot, from, to }: Move, nodes: readonly ClusterNode[]): Promise<void> {
  const others = nodes.filter((node) => node !== from && node !== to);
  for (const node of [to, from, ...others]) {
    const replication = String(await node.cli('INFO', 'replication'));
    if (replication.includes('role:master')) {
      await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
    }
  }
}

/** Lets a replica take over from its master, and waits until all nodes know. */
export async function failOver(replica: ClusterNode, running: Running): Promise<void> {
  await replica.cli('CLUSTER', 'FAILOVER');
  await waitFor('all nodes know the new master', async () => {
    const views = await Promise.all(running().map((node) => node.cli('CLUSTER', 'NODES')));
    return views.every((view) =>
      parseNodes(view).some(({ id, ranges }) => id === replica.id && ranges.length > 0),
    );
  });
  await untilOk(running);
}
