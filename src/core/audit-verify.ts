import {
  CHAIN_START,
  type ChainDigest,
  type ChainLink,
  readSeal,
  type Seal,
} from './audit-chain.ts';

/**
 * What is wrong with a chain of events. `missing`: taken out. `dropped`: never written, and Postern says so itself, for
 * the chain holds. `changed`: other bytes than the event after it knows. `moved`: not in its place. `inserted`: a number
 * that stands twice. `restarted`: a chain began anew. `foreign`: no sealed event. `cut`: a line without its end.
 */
export type ChainFault = {
  readonly kind:
    | 'missing'
    | 'dropped'
    | 'changed'
    | 'moved'
    | 'inserted'
    | 'restarted'
    | 'foreign'
    | 'cut';
  /** Where it was seen: `FILE:LINE`. */
  readonly at: string;
  /** Numbers of events, from and to. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
};

/** What became of a check of a chain. */
export type ChainVerdict = {
  /** All that was written from the first event on is there, in order and unchanged; what was `dropped` never was. */
  readonly isSound: boolean;
  readonly events: number;
  /** The number of the first event; above 1, what came before is in none of the files. */
  readonly first?: number | undefined;
  /** The end as it was found: what comes to be known of it elsewhere shows whether more was cut off. */
  readonly last?: ChainLink | undefined;
  readonly faults: readonly ChainFault[];
  /** Faults beyond those that are listed. */
  readonly unlisted: number;
};

/** Takes the lines of a chain in order, without their ends, and answers what is wrong with them. */
export type ChainCheck = {
  readonly take: (line: Uint8Array, at: string) => void;
  /** A last line that has no end. */
  readonly cut: (at: string) => void;
  readonly end: () => ChainVerdict;
};

const FAULTS_MAX = 1000;

type State = {
  readonly mayRestart: boolean;
  isSound: boolean;
  events: number;
  first: number | undefined;
  /** The event with the highest number of this chain. */
  last: ChainLink | undefined;
  unlisted: number;
  readonly faults: ChainFault[];
};

/**
 * Makes a check. It finds every changed byte but those of the last event, which no event after it knows. With
 * `mayRestart` a chain that begins anew is no fault.
 */
export function createChainCheck(
  digest: ChainDigest,
  { mayRestart = false }: { readonly mayRestart?: boolean } = {},
): ChainCheck {
  const state: State = {
    ...{ mayRestart, isSound: true, events: 0, unlisted: 0, faults: [] },
    ...{ first: undefined, last: undefined },
  };
  const text = new TextDecoder();
  return {
    take(line, at) {
      if (line.length === 0) return;
      const seal = readSeal(text.decode(line));
      if (!seal) note(state, { kind: 'foreign', at });
      else takeEvent(state, seal, { sequence: seal.sequence, digest: digest(line) }, at);
    },
    cut: (at) => note(state, { kind: 'cut', at }),
    end: () => {
      const { mayRestart: _, isSound, faults, ...told } = state;
      return { ...told, faults: [...faults], isSound: isSound && state.events > 0 };
    },
  };
}

function takeEvent(state: State, seal: Seal, link: ChainLink, at: string): void {
  const { last } = state;
  state.events += 1;
  if (!last) {
    state.first = seal.sequence;
    state.last = link;
    if (seal.sequence === 1 && seal.before !== CHAIN_START.digest) {
      note(state, { kind: 'changed', at, from: 1, to: 1 });
    }
    return;
  }
  if (seal.sequence === 1 && seal.before === CHAIN_START.digest) {
    if (!state.mayRestart) note(state, { kind: 'restarted', at });
    state.last = link;
  } else if (seal.sequence <= last.sequence) noteBackward(state, seal.sequence, at);
  else {
    noteForward(state, last, seal, at);
    state.last = link;
  }
}

function noteForward(state: State, last: ChainLink, seal: Seal, at: string): void {
  const from = last.sequence + 1;
  const to = seal.sequence - 1;
  const holds = seal.before === last.digest;
  if (from > to) {
    if (!holds) note(state, { kind: 'changed', at, from: last.sequence, to: seal.sequence });
  } else note(state, { kind: holds ? 'dropped' : 'missing', at, from, to });
}

/** An event that was missed and comes late was moved; one that is there already was put in. */
function noteBackward(state: State, sequence: number, at: string): void {
  const index = state.faults.findIndex(
    ({ kind, from = 0, to = 0 }) => kind === 'missing' && from <= sequence && sequence <= to,
  );
  const gap = state.faults[index];
  if (!gap) {
    note(state, { kind: 'inserted', at, from: sequence, to: sequence });
    return;
  }
  const { from = 0, to = 0 } = gap;
  const rest: ChainFault[] = [];
  if (from < sequence) rest.push({ ...gap, to: sequence - 1 });
  if (sequence < to) rest.push({ ...gap, from: sequence + 1 });
  state.faults.splice(index, 1, ...rest);
  note(state, { kind: 'moved', at, from: sequence, to: sequence });
}

function note(state: State, fault: ChainFault): void {
  if (fault.kind !== 'dropped') state.isSound = false;
  if (state.faults.length < FAULTS_MAX) state.faults.push(fault);
  else state.unlisted += 1;
}
