import { type Component, type Facts, type Item, type State, worst } from './component.ts';
import { componentsOf } from './components.ts';
import type { StatusReading } from './reading.ts';

/** How a process is, with since when of all that has a state. */
export type Status = {
  readonly product: string;
  readonly version: string;
  readonly started: Date;
  readonly time: Date;
  /** `down` where it does not serve, as /readyz says it; `degraded` where any component is not `ok`. */
  readonly state: State;
  readonly since: Date;
  readonly message: string;
  readonly components: readonly Since<Component>[];
};

type Since<Of> = Of & { readonly since: Date };

/** Looks at a process, and remembers since when it is as it is. */
export type StatusWatch = { readonly look: () => Status };

const MESSAGES: { readonly [state in State]: string } = {
  ok: 'Everything works',
  degraded: 'It serves, but something needs a look',
  down: 'It does not serve',
};

/**
 * Watches what `read` says. What has no time of its own is `since` the look at which it was first so: who looks
 * every second is right to the second.
 */
export function createStatusWatch(options: {
  readonly read: () => StatusReading;
  readonly now: () => number;
}): StatusWatch {
  let known: ReadonlyMap<string, Known> = new Map();
  let sinks: ReadonlyMap<string, Sink> = new Map();
  return {
    look: () => {
      const nowMs = options.now();
      const reading = options.read();
      sinks = watchSinks(sinks, reading, nowMs);
      const audit = reading.audit.map((one) => ({ ...one, ...sinks.get(one.sink) }));
      const next = new Map<string, Known>();
      const sinceOf: SinceOf = (key, state) => {
        const before = known.get(key);
        const since = before?.state === state ? before.since : new Date(nowMs);
        next.set(key, { state, since });
        return since;
      };
      const status = statusOf(reading, componentsOf({ ...reading, audit }, nowMs), sinceOf);
      known = next;
      return { ...status, time: new Date(nowMs) };
    },
  };
}

type Known = { readonly state: State; readonly since: Date };
type SinceOf = (key: string, state: State) => Date;
type Sink = { readonly dropped: number; readonly lastDropMs?: number | undefined };

function watchSinks(
  before: ReadonlyMap<string, Sink>,
  { audit }: StatusReading,
  nowMs: number,
): ReadonlyMap<string, Sink> {
  return new Map(
    audit.map(({ sink, dropped }) => {
      const known = before.get(sink) ?? { dropped: 0 };
      return [sink, dropped > known.dropped ? { dropped, lastDropMs: nowMs } : known];
    }),
  );
}

function statusOf(
  { product, version, startedMs, unready }: StatusReading,
  components: readonly Component[],
  sinceOf: SinceOf,
): Omit<Status, 'time'> {
  const isLimited = worst(components.map((one) => one.state)) !== 'ok';
  const servingState = isLimited ? 'degraded' : 'ok';
  const state = unready.length > 0 ? 'down' : servingState;
  return {
    ...{ product, version, started: new Date(startedMs), state },
    since: sinceOf('', state),
    message: MESSAGES[state],
    components: components.map((one) => withSince(one, sinceOf)),
  };
}

function withSince(component: Component, sinceOf: SinceOf): Since<Component> {
  const { name, state, items } = component;
  const dated = (item: Item, at: number) => {
    // An issuer may have several sets.
    const seen = sinceOf(`${name}\n${item.name}\n${at}`, item.state);
    return { ...item, since: item.since ?? seen };
  };
  return {
    ...component,
    since: sinceOf(name, state),
    items: items && { ...items, of: items.of.map(dated) },
  };
}

/** A status for programs: components by name, each with its facts, times as RFC 3339. */
export function writeStatus(status: Status): object {
  const { state, since, message, product, version, started, time, components } = status;
  const uptime = Math.floor((time.getTime() - started.getTime()) / 1000);
  return {
    ...{ state, since, message, product, version, started, uptime_seconds: uptime, time },
    components: Object.fromEntries(components.map((one) => [one.name, writeComponent(one)])),
  };
}

function writeComponent({ state, since, message, facts, items }: Since<Component>): object {
  const of = items?.of.map((item) => ({
    ...{ name: item.name, state: item.state, since: item.since },
    ...known(item.facts),
  }));
  return { state, since, message, ...known(facts), ...(items && { [items.name]: of }) };
}

function known(facts: Facts): object {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
