import type { DecisionRange } from '@reactor/client';
import { type DecisionReport, type Json, type KeptDecision, ReactorError } from '@reactor/core';
import { decisionText } from '../output/decision-text.js';
import { clockTime } from '../output/log-line.js';
import { printable } from '../output/printable.js';
import { table } from '../output/table.js';
import { sinceTime } from '../since-time.js';
import { UsageError } from '../usage-error.js';
import { argument, type Call, DONE, type Perform } from '../verb.js';

/** Why so many: now, at a moment that is kept, or over time. */
export const explain: Perform = async (call) => {
  const { at, history, since, limit } = call.options;
  if (history === true) return list(call);
  if (since !== undefined || limit !== undefined) throw new UsageError('--since and --limit are about a list: add --history');
  const name = argument(call, 0);
  const atMs = at === undefined ? null : Math.round(sinceTime(at, call.io.now(), 'at') * 1000);
  const report = await (await call.client()).explain(name, atMs);
  if (call.output.json) call.output.value(report);
  else if (report === null)
    call.output.lines([`${name}: nothing has been decided yet; the controller decides within a second of its start.`]);
  else if (isSentence(report))
    call.output.lines([line(report), 'The rest of it was too long to be kept, or another version kept it.']);
  else call.output.lines(decisionText(asReport(report), call.io.now()));
  return DONE;
};

/** All that is left of a decision whose inputs are not there. */
function isSentence(value: Json): value is Json & KeptDecision {
  const { report, sentence } = value as unknown as Partial<KeptDecision>;
  return report === null && typeof sentence === 'string';
}

/** The daemon wrote it in core's shape; another version of it may have another one, and then --json still shows it. */
function asReport(value: Json): DecisionReport {
  const report = value as unknown as Partial<DecisionReport>;
  const { record } = report;
  if (typeof report.atMs === 'number' && Array.isArray(report.steps) && record?.inputs?.stable?.metrics !== undefined) {
    return report as DecisionReport;
  }
  throw new ReactorError('request_invalid', 'the daemon explains itself in another form than this version knows; try --json');
}

async function list(call: Call): Promise<number> {
  const { at, since, limit } = call.options;
  if (limit !== undefined && !Number.isInteger(limit)) throw new UsageError(`--limit: expected a whole number, not ${limit}`);
  const moment = (text: string, option: string): number => Math.round(sinceTime(text, call.io.now(), option) * 1000);
  const range: DecisionRange = {
    ...(since === undefined ? {} : { sinceMs: moment(since, 'since') }),
    ...(at === undefined ? {} : { untilMs: moment(at, 'at') }),
    ...(limit === undefined ? {} : { limit }),
  };
  const decisions = await (await call.client()).decisions(argument(call, 0), range);
  if (call.output.json) call.output.value(decisions);
  else call.output.lines(decisions.length === 0 ? ['no change of it is kept'] : decisions.toReversed().map(line));
  return DONE;
}

/** Oldest first, as a log is read. */
function line({ atMs, instances, target, sentence }: KeptDecision): string {
  return table(null, [[clockTime(atMs), `${instances} => ${target}`, sentence]])[0] ?? printable(sentence);
}
