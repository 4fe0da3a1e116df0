import { parseDocument } from 'yaml';
import { deriveBootstrap } from '../../scripts/lib/bootstrap.ts';
import { type RunningEnvoy, runEnvoy } from '../../scripts/lib/run-envoy.ts';

/** Where a bootstrap's neighbours really are. */
export type Places = { readonly checkAddress: string; readonly upstreamPort: number };

/** On a busy machine Envoy's own 250 ms would make any test fail at times. */
const PATIENT = '5s';

/** Starts an Envoy by a bootstrap of the deployments, on free ports, its neighbours moved to this machine. */
export function runAt(binary: string, text: string, places: Places): Promise<RunningEnvoy> {
  const own = parseDocument(text);
  // The page of metrics has a port of its own, which another process may have.
  const metrics = ['static_resources', 'listeners', 1, 'address', 'socket_address', 'port_value'];
  if (own.hasIn(metrics)) own.setIn(metrics, 0);
  const moved = deriveBootstrap(own.toString(), {
    listenerPort: 0,
    adminPort: 0,
    checkTimeout: PATIENT,
    checkAddresses: [places.checkAddress],
    upstreamPort: places.upstreamPort,
  });
  return runEnvoy(binary, onLoopback(moved));
}

/** Nothing listens to the network in a test, and no name is asked for. */
function onLoopback(text: string): string {
  return text
    .replaceAll('address: 0.0.0.0', 'address: 127.0.0.1')
    .replaceAll('type: STRICT_DNS', 'type: STATIC')
    .replaceAll(/address: postern(?:[\w.-]*)$/gm, 'address: 127.0.0.1');
}
