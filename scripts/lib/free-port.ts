import { createServer } from 'node:net';

/** The wanted port of the loopback address if nobody has it, else 0, which lets the system choose. */
export function preferPort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(0));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => resolve(wanted)));
  });
}
