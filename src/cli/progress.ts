import type { Session } from './session.ts';

/** How far something is. */
export type Progress = { readonly kind: string; readonly copied: number; readonly total: number };

const TERMINAL_MS = 100;
const LOG_MS = 5000;

/** Tells progress on standard error: a line that is rewritten on a terminal, a line every few seconds otherwise. */
export function openProgress({ err, rewrite, now }: Pick<Session, 'err' | 'rewrite' | 'now'>) {
  const beganMs = now();
  const everyMs = rewrite ? TERMINAL_MS : LOG_MS;
  let toldMs = beganMs;
  return {
    tell: ({ kind, copied, total }: Progress) => {
      const nowMs = now();
      if (nowMs - toldMs < everyMs) return;
      toldMs = nowMs;
      const rate = Math.round((copied * 1000) / Math.max(nowMs - beganMs, 1));
      const share = total === 0 ? 100 : Math.min(100, Math.floor((copied * 100) / total));
      (rewrite ?? err)(`${copied} of ${total} (${share} %), ${rate} a second: ${kind}`);
    },
    /** Makes room for what follows. */
    end: () => rewrite?.(''),
  };
}
