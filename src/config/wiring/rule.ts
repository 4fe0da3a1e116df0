import type { Fault } from './fault.ts';
import type { Guard } from './guard.ts';
import type { Needs } from './needs.ts';
import type { Spot } from './spot.ts';
import type { Connection, Wiring } from './wiring.ts';

/** One thing to look for. The name is the anchor in docs/wiring.md; several rules may share one. */
export type Rule<Name extends string = string> = {
  readonly name: Name;
  readonly find: (wiring: Wiring, needs: Needs) => readonly Fault[];
};

type Judged = Fault | readonly Fault[] | undefined;

/** A rule about everything that makes an Envoy ask. */
export function aboutGuards<Name extends string>(
  name: Name,
  judge: (guard: Guard, needs: Needs, wiring: Wiring) => Judged,
): Rule<Name> {
  return {
    name,
    find: (wiring, needs) => wiring.guards.flatMap((one) => judge(one, needs, wiring) ?? []),
  };
}

/** A rule about every HTTP connection manager. */
export function aboutConnections<Name extends string>(
  name: Name,
  judge: (connection: Connection, needs: Needs, wiring: Wiring) => Judged,
): Rule<Name> {
  return {
    name,
    find: (wiring, needs) => wiring.connections.flatMap((one) => judge(one, needs, wiring) ?? []),
  };
}

/** A rule about every Kubernetes object of a kind. */
export function aboutKind<Name extends string>(
  name: Name,
  kind: string,
  judge: (spec: Spot, needs: Needs, wiring: Wiring) => Judged,
): Rule<Name> {
  return {
    name,
    find: (wiring, needs) =>
      wiring.resources
        .filter((one) => one.kind === kind)
        .flatMap(({ spec }) => judge(spec, needs, wiring) ?? []),
  };
}

/** A rule about every mesh configuration of Istio. */
export function aboutMeshes<Name extends string>(
  name: Name,
  judge: (mesh: Spot, needs: Needs, wiring: Wiring) => Judged,
): Rule<Name> {
  return {
    name,
    find: (wiring, needs) => wiring.meshes.flatMap((one) => judge(one, needs, wiring) ?? []),
  };
}
