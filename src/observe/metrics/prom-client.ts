import type * as library from 'prom-client';
import CounterClass from 'prom-client/lib/counter.js';
import GaugeClass from 'prom-client/lib/gauge.js';
import HistogramClass from 'prom-client/lib/histogram.js';
import addEventLoopLag from 'prom-client/lib/metrics/eventLoopLag.js';
import addCollections from 'prom-client/lib/metrics/gc.js';
import addHeap from 'prom-client/lib/metrics/heapSizeAndUsed.js';
import addHeapSpaces from 'prom-client/lib/metrics/heapSpacesSizeAndUsed.js';
import addMemory from 'prom-client/lib/metrics/osMemoryHeap.js';
import addHandles from 'prom-client/lib/metrics/processHandles.js';
import addMaxFiles from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import addOpenFiles from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import addRequests from 'prom-client/lib/metrics/processRequests.js';
import addResources from 'prom-client/lib/metrics/processResources.js';
import addStartTime from 'prom-client/lib/metrics/processStartTime.js';
import addVersion from 'prom-client/lib/metrics/version.js';
import RegistryClass from 'prom-client/lib/registry.js';

// The parts of prom-client that are used. Its front door also opens the one of its metrics that needs the API of
// OpenTelemetry, which would be loaded whether anybody traces or not; so each part comes by its own door, and that
// metric is ours.

export type Registry = library.Registry;
export const Registry = RegistryClass;
export type Counter<L extends string = string> = library.Counter<L>;
export const Counter = CounterClass;
export type Gauge<L extends string = string> = library.Gauge<L>;
export const Gauge = GaugeClass;
export type Histogram<L extends string = string> = library.Histogram<L>;
export const Histogram = HistogramClass;

const PREFIX = 'postern_';
const LAG_PRECISION_MS = 10;
const MICROSECONDS = 1_000_000;
/** The library's own metrics of a process, but for its CPU. */
const PROCESS_METRICS = [
  addStartTime,
  addMemory,
  addOpenFiles,
  addMaxFiles,
  addEventLoopLag,
  addResources,
  addHandles,
  addRequests,
  addHeap,
  addHeapSpaces,
  addVersion,
  addCollections,
];

/** Adds what the library knows of this process and of Node. */
export function addProcess(registry: Registry): void {
  addCpu(registry, 'user', 'Total user CPU time spent in seconds.', ({ user }) => user);
  addCpu(registry, 'system', 'Total system CPU time spent in seconds.', ({ system }) => system);
  const help = 'Total user and system CPU time spent in seconds.';
  addCpu(registry, undefined, help, ({ user, system }) => user + system);
  const config = { prefix: PREFIX, eventLoopMonitoringPrecision: LAG_PRECISION_MS };
  for (const add of PROCESS_METRICS) add(registry, config);
}

function addCpu(
  registry: Registry,
  kind: 'user' | 'system' | undefined,
  help: string,
  read: (usage: NodeJS.CpuUsage) => number,
): void {
  const before = read(process.cpuUsage());
  new Counter({
    name: `${PREFIX}process_cpu_${kind === undefined ? '' : `${kind}_`}seconds_total`,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc((read(process.cpuUsage()) - before) / MICROSECONDS);
    },
  });
}
