import type { Spot } from './spot.ts';

/** What undoes the policy, where, and what to do about it. */
export type Fault = { readonly spot: Spot; readonly message: string };
