import { findProgram } from './find-program.ts';

/** What is said where there is no Chromium. */
export const CHROMIUM_REMEDY = 'install it (Debian: apt-get install chromium), or set CHROMIUM_BIN';

/** Finds Chromium: `CHROMIUM_BIN`, else one in PATH. */
export function findChromium(): string | undefined {
  return findProgram('CHROMIUM_BIN', ['chromium', 'chromium-browser', 'google-chrome']);
}
