import type { InstanceWished } from '@reactor/client';
import { printable } from '../output/printable.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';

export const register: Perform = async (call) => tell(call, await (await call.client()).register(call.args[0] ?? null));

export const drop: Perform = async (call) => tell(call, await (await call.client()).drop(call.args[0] ?? null));

export const associate: Perform = async (call) =>
  tell(call, await (await call.client()).associate(argument(call, 0), argument(call, 1)));

export const disassociate: Perform = async (call) =>
  tell(call, await (await call.client()).disassociate(argument(call, 0), argument(call, 1)));

function tell(call: Call, wished: InstanceWished): number {
  if (call.output.json) call.output.value(wished);
  else call.output.lines([printable(`${wished.instance} of ${wished.endpoint} is ${wished.state}`)]);
  return DONE;
}
