// npm start: brings what is missing, then starts Postern, Envoy and an echo upstream (start.ts).
import { installPackages, runWithNode24 } from './lib/install.mjs';

try {
  await installPackages();
  process.exitCode = await runWithNode24('scripts/start.ts', process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : cause}\n`);
  process.exitCode = 1;
}
