const POLL_MS = 25;

/** Resolves as soon as the condition holds; one that throws does not hold yet. Fails, with the last reason, after `deadlineMs`. */
export async function until(what: string, deadlineMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + deadlineMs;
  let reason = '';
  for (;;) {
    try {
      if (await holds()) return;
      reason = '';
    } catch (error) {
      reason = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (Date.now() >= endMs) throw new Error(`waited ${deadlineMs / 1000} s in vain until ${what}${reason}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
