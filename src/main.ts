#!/usr/bin/env -S node --max-semi-space-size=16
import { runCommand } from './cli/commands.ts';

// A reader that stops reading, as `head` does, is no failure of ours.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const console = {
  out: (line: string) => process.stdout.write(`${line}\n`),
  err: (line: string) => process.stderr.write(`${line}\n`),
};

try {
  process.exitCode = await runCommand(process.argv.slice(2), console);
} catch (cause) {
  const message = cause instanceof Error ? cause.message : String(cause);
  console.err(`postern: ${message}`);
  process.exitCode = 1;
}
