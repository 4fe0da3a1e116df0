import { WIRING_SIGNS, type WiringSign } from '../../core/wiring.ts';
import { Gauge, type Registry } from './prom-client.ts';

export type WiringMetric = {
  readonly note: (sign: WiringSign) => void;
  /** The signs that were seen, the first one first. */
  readonly read: () => readonly WiringSign[];
};

/** A gauge for each sign of a wrong wiring: 0, and 1 from the first request that shows it. */
export function wiringMetric(registry: Registry): WiringMetric {
  const gauge = new Gauge({
    name: 'postern_wiring_warnings',
    help: 'What requests showed of a wiring that undoes the policy: 1 once seen.',
    labelNames: ['warning'] as const,
    registers: [registry],
  });
  for (const warning of Object.keys(WIRING_SIGNS)) gauge.set({ warning }, 0);
  const seen = new Set<WiringSign>();
  const note = (warning: WiringSign) => {
    seen.add(warning);
    gauge.set({ warning }, 1);
  };
  return { note, read: () => [...seen] };
}
