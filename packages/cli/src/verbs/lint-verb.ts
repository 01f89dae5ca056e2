import type { Finding } from '@reactor/core';
import { printable } from '../output/printable.js';
import { readBytes, readText } from '../stdin-text.js';
import { type Call, DONE, type Perform, REFUSED } from '../verb.js';

const HINT = 'lint reads a configuration from standard input, or takes the name of an endpoint: reactor lint < docker.conf';

/** Tells everything that is wrong or hardly meant; what is only hardly meant is no failure. */
export const lint: Perform = async (call) => {
  const findings = await found(call);
  if (call.output.json) call.output.value({ findings });
  else call.output.lines(findings.length === 0 ? ['nothing to remark'] : findings.flatMap(findingLines));
  return findings.some(({ severity }) => severity === 'error') ? REFUSED : DONE;
};

async function found(call: Call): Promise<readonly Finding[]> {
  const [name] = call.args;
  if (name !== undefined) return (await call.client()).lintEndpoint(name);
  if (call.options.cluster === true) {
    const text = await readText(call.io, HINT);
    return (await call.client()).lint(text);
  }
  const bytes = await readBytes(call.io, HINT);
  const { lint: look, readDocument } = await import('@reactor/config');
  return look(() => readDocument(bytes));
}

function findingLines({ severity, section, key, line, text, suggestion }: Finding): readonly string[] {
  const where = section === null ? '' : ` ${key === null ? section : `${section}.${key}`}`;
  return [
    printable(`${severity}:${where}${line === null ? '' : ` (line ${line})`}: ${text}`.replace('::', ':')),
    ...(suggestion === null ? [] : [printable(`  ${suggestion}`)]),
  ];
}
