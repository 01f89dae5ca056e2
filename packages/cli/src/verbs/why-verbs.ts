import type { PlacementAnswer } from '@reactor/client';
import { describeError, evaluateJson, ReactorError } from '@reactor/core';
import { jsonLine } from '../output/json-text.js';
import { printable } from '../output/printable.js';
import { verdictTable } from '../output/verdict-table.js';
import { readLines } from '../stdin-text.js';
import { UsageError } from '../usage-error.js';
import { argument, DONE, type Perform, REFUSED } from '../verb.js';

/** The question alone: what acts is the controller, so without the option there is nothing this could do. */
export const place: Perform = async (call) => {
  if (call.options['dry-run'] !== true) {
    throw new UsageError('place only asks, the controller acts: reactor place ENDPOINT --dry-run; to act, reactor scale');
  }
  const answer = await (await call.client()).placement(argument(call, 0));
  if (call.output.json) call.output.value(answer);
  else call.output.lines(placementText(answer));
  return answer.host === null ? REFUSED : DONE;
};

function placementText(answer: PlacementAnswer): readonly string[] {
  const { endpoint, host, reason, strategy } = answer;
  const drawn = strategy === 'random' ? ' (one of those that fit is drawn each time)' : '';
  const verdicts = verdictTable(answer);
  return [
    printable(host === null ? `${endpoint}: no host takes it` : `${endpoint} would go to ${host}${drawn}: ${reason}`),
    ...(verdicts.length === 0 ? [] : ['', ...verdicts]),
  ];
}

/** Offline: the same function that the controller calls, so that a rule can be tried before a daemon exists. */
export const evaluate: Perform = async (call) => {
  if (call.io.stdinIsTerminal)
    throw new UsageError("evaluate reads JSON lines from standard input; see 'reactor evaluate --help'");
  let failed = false;
  let number = 0;
  for await (const line of readLines(call.io)) {
    if (call.output.closed.aborted) break;
    number += 1;
    try {
      call.output.lines([evaluateJson(line)]);
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      failed = true;
      // An answer for every line keeps answers and questions in step.
      call.output.lines([jsonLine({ error: describeError(error) })]);
      call.output.say(`line ${number}: ${describeError(error)}`);
    }
    await call.output.drained();
  }
  return failed ? REFUSED : DONE;
};
