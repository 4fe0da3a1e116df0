// npm run bench: builds, then measures (bench/main.ts). Installs nothing.
import { runWithNode24 } from './lib/install.mjs';

try {
  process.exitCode = await runWithNode24('scripts/bench/main.ts', process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : cause}\n`);
  process.exitCode = 1;
}
