import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failOver, parseNodes, reshard, type Stage, untilOk } from './cluster-changes.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { pickPort } from './server-process.ts';

export type ClusterSize = {
  /** 3 unless given. */
  readonly masters?: number | undefined;
  /** Of each master; 1 unless given. */
  readonly replicas?: number | undefined;
  /** How long a node may be silent before the others replace it, ms; 1000 unless given. */
  readonly nodeTimeoutMs?: number | undefined;
  /** More lines of each `redis.conf`. */
  readonly config?: readonly string[] | undefined;
};

export type ClusterNode = RedisServer & { readonly id: string };

/** A real Redis Cluster on the loopback address; each node can be paused, killed and restarted by itself. */
export type RedisCluster = {
  readonly nodes: readonly ClusterNode[];
  /** Of all nodes. */
  readonly urls: readonly string[];
  /** Waits until every node that runs says that all slots are served, and every replica follows. */
  readonly untilOk: () => Promise<void>;
  /** The master that serves a slot, as the others see it. */
  readonly masterOf: (slot: number) => Promise<ClusterNode>;
  readonly replicasOf: (master: ClusterNode) => Promise<readonly ClusterNode[]>;
  /** Moves slots; clients are answered ASK for their keys meanwhile, and MOVED afterwards. */
  readonly reshard: (
    slots: readonly number[],
    to: ClusterNode,
    during?: (stage: Stage) => Promise<unknown>,
  ) => Promise<void>;
  /** A replica takes over from a master that agrees; resolves with the new master when all nodes know it. */
  readonly failOver: (master: ClusterNode) => Promise<ClusterNode>;
  readonly stop: () => Promise<void>;
};

export const SLOTS = 16_384;
const ATTEMPTS_MAX = 5;

/** Starts a cluster. It answers within some two seconds, which `untilOk` waits for. */
export async function startCluster(size: ClusterSize = {}): Promise<RedisCluster> {
  for (let attempt = 1; ; attempt++) {
    const plan = await planCluster(size);
    const started = await Promise.allSettled(plan.map((node) => startNode(node, plan, size)));
    const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (nodes.length === plan.length) return clusterOf(nodes, plan);
    await stopAll(nodes, plan);
    if (attempt === ATTEMPTS_MAX) {
      const causes = started.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      throw new AggregateError(causes, 'the cluster did not start');
    }
  }
}

type PlannedNode = {
  readonly id: string;
  readonly folder: string;
  readonly port: number;
  readonly busPort: number;
  /** First and last slot of a master. */
  readonly slots?: readonly [number, number] | undefined;
  readonly master?: string | undefined;
};

async function planCluster({ masters = 3, replicas = 1 }: ClusterSize): Promise<PlannedNode[]> {
  const ports = new Set<number>();
  while (ports.size < 2 * masters * (1 + replicas)) ports.add(await pickPort());
  const [...free] = ports;
  const plan: PlannedNode[] = [];
  for (let place = 0; place < masters * (1 + replicas); place++) {
    const [port = 0, busPort = 0] = free.splice(0, 2);
    const id = createHash('sha1').update(`${place}:${port}`).digest('hex');
    const folder = mkdtempSync(join(tmpdir(), 'postern-cluster-'));
    const own = place % masters;
    const share = (part: number) => Math.floor((SLOTS * part) / masters);
    const role =
      place < masters
        ? { slots: [share(place), share(place + 1) - 1] as const }
        : { master: plan[own]?.id };
    plan.push({ id, folder, port, busPort, ...role });
  }
  return plan;
}

/** Nodes that are told of each other by their files need not meet, which would take seconds. */
async function startNode(
  node: PlannedNode,
  plan: readonly PlannedNode[],
  { nodeTimeoutMs = 1000, config = [] }: ClusterSize,
): Promise<ClusterNode> {
  const known = plan.map((other, place) => nodeLine(other, place, other === node));
  const epoch = `vars currentEpoch ${plan.length} lastVoteEpoch 0`;
  writeFileSync(join(node.folder, 'nodes.conf'), `${[...known, epoch].join('\n')}\n`);
  const server = await startRedis({
    port: node.port,
    folder: node.folder,
    config: [
      'cluster-enabled yes',
      'cluster-config-file nodes.conf',
      `cluster-port ${node.busPort}`,
      `cluster-node-timeout ${nodeTimeoutMs}`,
      'cluster-announce-ip 127.0.0.1',
      'cluster-replica-validity-factor 0',
      ...config,
    ],
  });
  return { ...server, id: node.id };
}

/** A line of `nodes.conf`: the form of Redis 7.0, which newer ones read. */
function nodeLine(node: PlannedNode, place: number, isMyself: boolean): string {
  const { id, port, busPort, master = '-', slots } = node;
  const role = slots ? 'master' : 'slave';
  const flags = isMyself ? `myself,${role}` : role;
  const served = slots ? ` ${slots.join('-')}` : '';
  return `${id} 127.0.0.1:${port}@${busPort} ${flags} ${master} 0 0 ${place + 1} connected${served}`;
}

function clusterOf(nodes: readonly ClusterNode[], plan: readonly PlannedNode[]): RedisCluster {
  const running = () => nodes.filter((node) => node.isRunning());
  const masterOf = async (slot: number) => {
    const [asked] = running();
    const lines = parseNodes(asked ? await asked.cli('CLUSTER', 'NODES') : '');
    const id = lines.find(({ ranges }) => ranges.some(([a, b]) => a <= slot && slot <= b))?.id;
    const found = nodes.find((node) => node.id === id);
    if (!found) throw new Error(`no node serves slot ${slot}`);
    return found;
  };
  const replicasOf = async (master: ClusterNode) => {
    const lines = parseNodes(await (running()[0] ?? master).cli('CLUSTER', 'NODES'));
    const ids = lines.flatMap(({ id, follows }) => (follows === master.id ? [id] : []));
    return nodes.filter((node) => ids.includes(node.id));
  };
  return {
    nodes,
    urls: nodes.map((node) => node.url),
    untilOk: () => untilOk(running),
    masterOf,
    replicasOf,
    reshard: (slots, to, during) => reshard({ running, masterOf }, slots, to, during),
    failOver: async (master) => {
      const [replica] = await replicasOf(master);
      if (!replica) throw new Error('there is no replica to take over');
      await failOver(replica, running);
      return replica;
    },
    stop: () => stopAll(nodes, plan),
  };
}

async function stopAll(nodes: readonly ClusterNode[], plan: readonly PlannedNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()));
  for (const { folder } of plan) rmSync(folder, { recursive: true, force: true });
}
