import { Agent, request } from 'node:http';

/** One request of a load and how it ended. */
export type Shot = {
  readonly target: string;
  readonly startedMs: number;
  readonly endedMs: number;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
};

/** A request that a load sends again and again. */
export type Kind = {
  readonly target: string;
  readonly headers?: { readonly [name: string]: string };
};

/** A load on Envoy that goes on until it is stopped. */
export type Load = {
  readonly shots: readonly Shot[];
  /** Ends when the requests on their way have their answers. */
  readonly stop: () => Promise<readonly Shot[]>;
};

const PAUSE_MS = 15;

/** Starts so many clients, each with a connection of its own, that send all kinds in turn. */
export function startLoad(port: number, kinds: readonly Kind[], clients = 12): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const shots: Shot[] = [];
  let isStopping = false;
  const run = async (client: number) => {
    for (let turn = client; !isStopping; turn += 1) {
      const kind = kinds[turn % kinds.length];
      if (kind) shots.push(await shoot(agent, port, kind));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const running = Array.from({ length: clients }, (_, client) => run(client));
  return {
    shots,
    stop: async () => {
      isStopping = true;
      await Promise.all(running);
      agent.destroy();
      return shots;
    },
  };
}

function shoot(agent: Agent, port: number, { target, headers = {} }: Kind): Promise<Shot> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const end = (status: number, answered: Shot['headers']) =>
      resolve({ target, startedMs, endedMs: performance.now(), status, headers: answered });
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        path: target,
        headers: { host: 'api.example.com', ...headers },
      },
      (response) => {
        response.resume();
        response.on('end', () => end(response.statusCode ?? 0, response.headers));
        response.on('error', () => end(0, {}));
      },
    );
    sent.on('error', () => end(0, {}));
    sent.end();
  });
}

/** How often each status came, by target. */
export function statusesOf(shots: readonly Shot[]): {
  readonly [target: string]: readonly number[];
} {
  const found = new Map<string, Set<number>>();
  for (const { target, status } of shots) {
    found.set(target, (found.get(target) ?? new Set()).add(status));
  }
  return Object.fromEntries(
    [...found].map(([target, statuses]) => [target, [...statuses].sort((a, b) => a - b)]),
  );
}
