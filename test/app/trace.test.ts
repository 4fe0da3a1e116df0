import { expect, onTestFinished, test } from 'vitest';
import { openTraces } from '../../src/app/trace.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://127.0.0.1:9' };

test.each(['OTEL_EXPORTER_OTLP_CERTIFICATE', 'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY'])(
  '%s of a file that is not there is a warning without its path, and traces are open',
  async (name) => {
    const heard: unknown[] = [];
    const log = { info: () => {}, warn: (...told: readonly unknown[]) => void heard.push(told) };
    const traces = await openTraces({ ...ENDPOINT, [name]: '/nowhere/at/all.pem' }, '1', log);
    onTestFinished(() => traces?.close(100));
    expect(traces).toBeDefined();
    expect(heard).toEqual([[`${name} names a file that cannot be read: it is not used`]]);
  },
);
