import type { Finding } from '@reactor/core';
import { useEffect, useState } from 'preact/hooks';
import { asText } from './exchange.js';
import { findingsOf, findingWords } from './finding.js';
import { useSettled } from './page-state.js';

/** A configuration as text, and below it what the server finds in it once nobody types. */

const SETTLED_MS = 400;

export function IniField(props: {
  id: string;
  /** Null is that of an endpoint which is not there yet. */
  endpoint: string | null;
  text: string;
  onText: (text: string) => void;
  /** Of what says what came of saving. */
  outcome: string;
}) {
  const { id, endpoint, text, onText } = props;
  const [findings, setFindings] = useState<readonly Finding[]>([]);
  const settled = useSettled(text, SETTLED_MS);
  useEffect(() => {
    let isNewest = true;
    void findingsOf(endpoint, asText(settled)).then((found) => isNewest && setFindings(found));
    return () => {
      isNewest = false;
    };
  }, [endpoint, settled]);
  return (
    <>
      <textarea
        id={id}
        spellcheck={false}
        rows={Math.min(40, Math.max(12, text.split('\n').length + 1))}
        value={text}
        aria-invalid={findings.some(({ severity }) => severity === 'error')}
        aria-describedby={`${id}-findings ${props.outcome}`}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      <div id={`${id}-findings`} role="status">
        {findings.map((finding) => (
          <p key={finding.text} class={finding.severity === 'error' ? 'mistake' : 'trouble'}>
            {findingWords(finding)}
          </p>
        ))}
      </div>
    </>
  );
}
