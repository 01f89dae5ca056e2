import type { Written } from '@reactor/client';
import type { Call } from './verb.js';

/** Says what the daemon remarked about a stored configuration, such as an unknown key. Scripts get the whole answer with --json. */
export function tellWritten(call: Call, written: Written): void {
  for (const warning of written.warnings) call.output.say(`warning: ${warning}`);
  if (call.output.json) call.output.value(written);
}
