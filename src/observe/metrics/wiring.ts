import { Gauge, type Registry } from 'prom-client';
import { WIRING_SIGNS, type WiringSign } from '../../core/wiring.ts';

/** A gauge for each sign of a wrong wiring: 0, and 1 from the first request that shows it. */
export function wiringMetric(registry: Registry): (sign: WiringSign) => void {
  const seen = new Gauge({
    name: 'postern_wiring_warnings',
    help: 'What requests showed of a wiring that undoes the policy: 1 once seen.',
    labelNames: ['warning'] as const,
    registers: [registry],
  });
  for (const warning of Object.keys(WIRING_SIGNS)) seen.set({ warning }, 0);
  return (warning) => seen.set({ warning }, 1);
}
