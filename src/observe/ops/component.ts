/** How something is: as it should be, limited, or of no use. */
export type State = 'ok' | 'degraded' | 'down';

/** A figure, a word or a time by a name in snake_case; undefined ones are not shown. */
export type Facts = { readonly [name: string]: string | number | Date | undefined };

/** One of several things of a kind, as a server of the store. */
export type Item = {
  readonly name: string;
  readonly state: State;
  /** Since when it is so, where it knows itself. */
  readonly since?: Date | undefined;
  readonly facts: Facts;
};

/** A part of Postern as it is. */
export type Component = {
  readonly name: string;
  readonly title: string;
  readonly state: State;
  /** What the state means for whoever asks, in a sentence. */
  readonly message: string;
  readonly facts: Facts;
  readonly items?: Items | undefined;
};

/** `name` is their key in JSON, `title` their heading, `each` what one of them is. */
export type Items = {
  readonly name: string;
  readonly title: string;
  readonly each: string;
  readonly of: readonly Item[];
};

const GRAVITY: readonly State[] = ['ok', 'degraded', 'down'];

/** The gravest of some states; `ok` of none. */
export function worst(states: readonly State[]): State {
  return GRAVITY.findLast((state) => states.includes(state)) ?? 'ok';
}

/** A time of epoch ms, where there is one. */
export function dateOf(timeMs: number | undefined): Date | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs);
}
