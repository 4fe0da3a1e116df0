// npm test: brings what is missing (packages, Envoy), then npm run check.
import { installPackages, runWithNode24 } from './lib/install.mjs';

try {
  await installPackages();
  process.exitCode = await runWithNode24('scripts/test.ts', process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : cause}\n`);
  process.exitCode = 1;
}
