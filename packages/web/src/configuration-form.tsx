import type { Schema, SchemaEntry } from '@reactor/client';
import type { ConfigDocument, Finding } from '@reactor/core';
import { useEffect, useState } from 'preact/hooks';
import { Outcome } from './configuration.js';
import { asJson, ask, endpointPath, Refusal } from './exchange.js';
import { findingOf, findingsOf } from './finding.js';
import { useAnswer, useSettled, useTask } from './page-state.js';

/** Every key there is, made from the schema of the server; what is wrong stands beside the key while it is typed. */

const SETTLED_MS = 400;

export function ConfigurationForm({ name }: { name: string }) {
  const schema = useAnswer<Schema>('/schema/endpoint');
  const stored = useAnswer<ConfigDocument>(endpointPath(name));
  // Kept here, for the form below begins anew with what was saved.
  const [warnings, setWarnings] = useState<readonly string[] | null>(null);
  if (schema.answer === null || stored.answer === null) return <p class="mistake">{schema.mistake ?? stored.mistake ?? ''}</p>;
  return (
    <Form
      // Anew whenever another revision is stored.
      key={stored.answer.revision}
      name={name}
      schema={schema.answer.value}
      stored={stored.answer.value}
      revision={stored.answer.revision}
      warnings={warnings}
      onWarnings={setWarnings}
      onSaved={stored.again}
    />
  );
}

function Form(props: {
  name: string;
  schema: Schema;
  stored: ConfigDocument;
  revision: number | null;
  warnings: readonly string[] | null;
  onWarnings: (warnings: readonly string[] | null) => void;
  onSaved: () => void;
}) {
  const { name, schema, stored, warnings, onWarnings } = props;
  const [document, setDocument] = useState(stored);
  const [findings, setFindings] = useState<readonly Finding[]>([]);
  const task = useTask();
  const settled = useSettled(document, SETTLED_MS);
  const changed = JSON.stringify(document) !== JSON.stringify(stored);
  useEffect(() => {
    let isNewest = true;
    if (settled !== stored) void findingsOf(name, asJson(settled)).then((found) => isNewest && setFindings(found));
    return () => {
      isNewest = false;
    };
  }, [name, settled, stored]);

  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    onWarnings(null);
    const done = await task.run(async () => {
      try {
        const path = endpointPath(name);
        const written = await ask<{ readonly warnings: readonly string[] }>(
          'POST',
          path,
          asJson(document),
          props.revision ?? undefined,
        );
        onWarnings(written.value.warnings);
      } catch (error) {
        if (error instanceof Refusal) setFindings([findingOf(error)]);
        throw error;
      }
    });
    if (done) props.onSaved();
  };
  const sections = [...new Set(schema.keys.map(({ section }) => section))];
  return (
    <form class="configuration" onSubmit={save}>
      {sections.map((section) => (
        <Section
          key={section}
          section={section}
          keys={schema.keys.filter((key) => key.section === section)}
          values={document[section] ?? {}}
          findings={findings.filter((finding) => finding.section === section)}
          onChange={(key, value) => setDocument(withValue(document, section, key, value))}
        />
      ))}
      <div class="save-bar">
        <button type="submit" class="main" disabled={!changed || task.busy}>
          Save
        </button>
        {changed && (
          <button type="button" onClick={() => setDocument(stored)}>
            Discard changes
          </button>
        )}
        <Outcome id="form-outcome" mistake={task.mistake} warnings={warnings} />
      </div>
    </form>
  );
}

function Section(props: {
  section: string;
  keys: readonly SchemaEntry[];
  values: Readonly<Record<string, string>>;
  findings: readonly Finding[];
  onChange: (key: string, value: string) => void;
}) {
  const { section, keys, values, findings } = props;
  const set = Object.keys(values).length;
  return (
    <details open={set > 0 || findings.length > 0}>
      <summary>
        <code>[{section}]</code> <span class="quiet">{set === 0 ? 'defaults' : `${set} set`}</span>
      </summary>
      <div class="keys">
        {keys.map((entry) => (
          <Key
            key={entry.key}
            entry={entry}
            value={values[entry.key] ?? ''}
            findings={findings.filter(({ key }) => key === entry.key)}
            onChange={(value) => props.onChange(entry.key, value)}
          />
        ))}
      </div>
    </details>
  );
}

function Key(props: { entry: SchemaEntry; value: string; findings: readonly Finding[]; onChange: (value: string) => void }) {
  const { entry, value, findings, onChange } = props;
  const id = `${entry.section}.${entry.key}`;
  const common = {
    id,
    value,
    placeholder: entry.default,
    'aria-invalid': findings.some(({ severity }) => severity === 'error'),
    'aria-describedby': `${id}-help`,
  };
  const isLong = entry.lines && (value.includes('\n') || value.length > 60);
  return (
    <div class={`key ${value === '' ? '' : 'is-set'}`}>
      <label for={id}>{entry.key}</label>
      {entry.words.length > 0 ? (
        <select {...common} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">{entry.default === '' ? 'not set' : `default: ${entry.default}`}</option>
          {entry.words.map((word) => (
            <option key={word}>{word}</option>
          ))}
        </select>
      ) : isLong ? (
        <textarea {...common} rows={3} spellcheck={false} onInput={(event) => onChange(event.currentTarget.value)} />
      ) : (
        <input {...common} spellcheck={false} autocomplete="off" onInput={(event) => onChange(event.currentTarget.value)} />
      )}
      <div id={`${id}-help`}>
        <p class="quiet">
          {entry.description} <span class="type">({entry.type})</span>
        </p>
        {findings.map(({ severity, text, suggestion }) => (
          <p key={text} class={severity === 'error' ? 'mistake' : 'trouble'}>
            {text}
            {suggestion === null ? '' : ` (${suggestion})`}
          </p>
        ))}
      </div>
    </div>
  );
}

/** An empty value is a key that is not set. */
function withValue(document: ConfigDocument, section: string, key: string, value: string): ConfigDocument {
  const { [key]: _former, ...others } = document[section] ?? {};
  const values = value === '' ? others : { ...document[section], [key]: value };
  const { [section]: _section, ...sections } = document;
  return Object.keys(values).length === 0 ? sections : { ...document, [section]: values };
}
