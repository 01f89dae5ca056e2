import { UsageError } from '../usage-error.js';
import { argument, DONE, type Perform } from '../verb.js';
import { tellWritten } from '../written.js';

/** `pyex=3`: digits alone, as `1e3` or `+3` are more often a slip than a wish. */
const FORM = /^([^=]+)=(auto|[0-9]{1,6})$/;

export const scale: Perform = async (call) => {
  const given = argument(call, 0);
  const [, name, wanted] = FORM.exec(given) ?? [];
  if (name === undefined || wanted === undefined) {
    throw new UsageError(`expected ENDPOINT=COUNT or ENDPOINT=auto, such as pyex=3, not '${given}'`);
  }
  const { for: duration } = call.options;
  if (wanted === 'auto' && duration !== undefined) throw new UsageError('--for says how long a count is held; auto holds none');
  const forMs = duration === undefined ? null : await milliseconds(duration);
  tellWritten(call, await (await call.client()).hold(name, wanted === 'auto' ? null : Number(wanted), forMs));
  return DONE;
};

async function milliseconds(text: string): Promise<number> {
  const { parseDuration } = await import('@reactor/config');
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new UsageError(`--for: ${parsed.fault.message}`);
  if (parsed.value === 0) throw new UsageError('--for: must be > 0');
  return parsed.value;
}
