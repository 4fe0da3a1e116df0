import { Agent, request } from 'node:http';

/** Somebody who sends the same request again and again. */
export type Actor = {
  readonly name: string;
  readonly target: string;
  readonly headers?: { readonly [name: string]: string };
  /** Requests in a second, at a moment in ms since the play began. */
  readonly perSecond: (atMs: number) => number;
};

export type Play = {
  /** How often each status came, by actor. */
  readonly statuses: () => { readonly [actor: string]: { readonly [status: string]: number } };
  /** Ends when every request on its way has its answer. */
  readonly stop: () => Promise<void>;
};

const BEAT_MS = 100;
const SOCKETS_MAX = 32;

/** Lets actors send to an Envoy of this machine until it is stopped. */
export function startPlay(port: number, actors: readonly Actor[]): Play {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  const statuses: { [actor: string]: { [status: string]: number } } = {};
  const owed = new Map<Actor, number>();
  const flying = new Set<Promise<void>>();
  const startMs = Date.now();
  let lastMs = startMs;
  const beat = () => {
    const nowMs = Date.now();
    const seconds = (nowMs - lastMs) / 1000;
    lastMs = nowMs;
    for (const actor of actors) {
      let due = (owed.get(actor) ?? 0) + actor.perSecond(nowMs - startMs) * seconds;
      for (; due >= 1; due -= 1) send(actor);
      owed.set(actor, due);
    }
  };
  const send = (actor: Actor) => {
    const sent = shoot(agent, port, actor).then((status) => {
      const own = statuses[actor.name] ?? {};
      statuses[actor.name] = own;
      own[status] = (own[status] ?? 0) + 1;
      flying.delete(sent);
    });
    flying.add(sent);
  };
  const timer = setInterval(beat, BEAT_MS);
  return {
    statuses: () => statuses,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(flying);
      agent.destroy();
    },
  };
}

/** Sends one request; the answer is its status, 0 where there is none. */
function shoot(agent: Agent, port: number, { target, headers = {} }: Actor): Promise<number> {
  return new Promise((resolve) => {
    const host = { host: 'api.example.com', ...headers };
    const sent = request({ agent, port, host: '127.0.0.1', path: target, headers: host });
    sent.on('response', (response) => {
      response.resume();
      response.on('close', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end();
  });
}
