// What the audience sees. On a terminal one status line is rewritten in place; elsewhere a plain line per change, and one
// now and then, so that a log reads well and nobody wonders whether it hangs.
const QUIET_MS = 5_000;
const LONGEST_LINE = 300;

export function createScreen(out) {
  const terminal = out.isTTY === true;
  let open = false;
  let last = '';
  let lastMs = 0;

  const close = () => {
    if (open) out.write('\n');
    open = false;
  };
  const line = (text) => {
    close();
    out.write(`${text}\n`);
  };

  return {
    title: (text) => line(`\n${terminal ? `\x1b[1m${text}\x1b[0m` : `== ${text}`}`),
    command: (text) => line(`$ ${text}`),
    text: (text) =>
      line(
        text
          .trimEnd()
          .split('\n')
          .map((each) => `    ${each.slice(0, LONGEST_LINE)}`)
          .join('\n'),
      ),
    /** @param gist what has to change for a plain line to be worth it */
    status(text, sinceMs, gist = text) {
      const nowMs = Date.now();
      const full = `    [${((nowMs - sinceMs) / 1000).toFixed(0).padStart(3)} s] ${text}`;
      if (terminal) {
        out.write(`\r\x1b[2K${full.slice(0, (out.columns ?? 120) - 1)}`);
        open = true;
      } else if (gist !== last || nowMs - lastMs >= QUIET_MS) {
        line(full);
        lastMs = nowMs;
      }
      last = gist;
    },
    close,
  };
}
