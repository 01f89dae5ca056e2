import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseRules } from '@reactor/core';
import { EXAMPLE_CONFIG } from '../src/help-example.js';
import { RULES_TOPIC, TOPIC_NAMES } from '../src/help-topics.js';
import { VERBS } from '../src/verb-table.js';
import { VERSION } from '../src/version.js';
import { type FixedDaemon, fixedDaemon } from './fixed-daemon.js';
import { typed } from './typed.js';

describe('help', () => {
  test('without a verb names every verb under its group, the walk-through and the options', async () => {
    const { status, stdout, stderr } = await typed(['--help']);
    expect([status, stderr]).toEqual([0, '']);
    for (const title of ['Manage endpoints:', 'Run:', 'See why:', 'Cluster:', 'A first walk:', 'Options:'])
      expect(stdout).toContain(`\n${title}\n`);
    for (const verb of VERBS)
      expect(stdout).toMatch(new RegExp(`^  ${verb.name}( .*)? ${verb.about.slice(0, 20).replace(/[^\w ]/g, '.')}`, 'm'));
    expect(await typed(['help'])).toEqual({ status: 0, stdout, stderr: '' });
  });

  test('of a verb shows its usage and options, whether asked before or after it', async () => {
    const asked = await typed(['manage', '--help']);
    expect(asked.status).toBe(0);
    expect(asked.stdout.split('\n')[0]).toBe('usage: reactor manage ENDPOINT < CONFIG');
    for (const text of ['[cloud:docker]', 'rules = 0.3 < rate < 1', '-u, --update']) expect(asked.stdout).toContain(text);
    expect(await typed(['-h', 'manage'])).toEqual(asked);
    expect(await typed(['help', 'manage'])).toEqual(asked);
  });

  test('of every verb and topic is there', async () => {
    for (const name of [...VERBS.map((verb) => verb.name), ...TOPIC_NAMES]) {
      const { status, stdout } = await typed(['help', name]);
      expect([name, status]).toEqual([name, 0]);
      expect(stdout.length).toBeGreaterThan(80);
    }
  });

  test('fits a terminal of 132 columns', async () => {
    const pages = await Promise.all(
      [['--help'], ...[...VERBS.map((verb) => verb.name), ...TOPIC_NAMES].map((name) => ['help', name])].map((argv) =>
        typed(argv),
      ),
    );
    const long = pages.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.length > 132));
    expect(long).toEqual([]);
  });

  test('teaches rules that the parser accepts', () => {
    const rules = RULES_TOPIC.flatMap((line) => /scaling rules '(.*)'/.exec(line)?.[1] ?? []);
    expect(rules.length).toBe(3);
    for (const rule of rules) expect([rule, parseRules(rule).ok]).toEqual([rule, true]);
  });

  test('teaches an evaluation that works when it is pasted', async () => {
    const line = RULES_TOPIC.flatMap((text) => /echo '(.*)' \| reactor evaluate/.exec(text)?.[1] ?? [])[0] ?? '';
    const { status, stdout } = await typed(['evaluate'], { stdin: `${line}\n` });
    expect([status, JSON.parse(stdout).target]).toEqual([0, 5]);
  });

  test('shows an example configuration that is valid', async () => {
    const conf = EXAMPLE_CONFIG.slice(1)
      .map((line) => line.trim())
      .join('\n');
    expect(await typed(['validate'], { stdin: conf })).toEqual({ status: 0, stdout: 'valid\n', stderr: '' });
  });
});

describe('validate', () => {
  test('tells the mistake with its place, exit status 1', async () => {
    const { status, stdout, stderr } = await typed(['validate'], { stdin: '[endpoint]\nurl = http://\nport = 80/tcp\n' });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^reactor: .*line 3.*\n$/);
  });

  test('warns of a key nobody knows, and suggests', async () => {
    const { status, stdout, stderr } = await typed(['validate'], {
      stdin: '[endpoint]\nurl = http://\n\n[scaling]\nmax_instanses = 3\n',
    });
    expect([status, stdout]).toEqual([0, 'valid\n']);
    expect(stderr).toMatch(/^reactor: warning: .*max_instanses.*max_instances.*\n/);
  });

  test('at a terminal gives a hint instead of waiting', async () => {
    const { status, stderr } = await typed(['validate']);
    expect([status, stderr]).toEqual([
      2,
      'reactor: validate reads a configuration from standard input: reactor validate < docker.conf\n',
    ]);
  });
});

describe('lint', () => {
  const conf = '[endpoint]\nurl = http://\nloadbalancer = nginx\n\n[scaling]\nmax_instances = 5\nrules = rate < 1, 2 < rate\n';

  test('tells without a daemon what is wrong, where, and what to do; exit status 1 for an error', async () => {
    const { status, stdout, stderr } = await typed(['lint'], { stdin: conf });
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout).toContain("error: scaling.rules (line 7): Nothing can satisfy both rule 1 'rate < 1' and rule 2 '2 < rate'");
    expect(stdout).toContain('\n  leave one of them out, or make their bands overlap\n');
    const json = JSON.parse((await typed(['lint', '--json'], { stdin: conf })).stdout);
    expect(json.findings[0]).toMatchObject({ code: 'unsatisfiable', severity: 'error', line: 7 });
  });

  test('has nothing to remark on a band', async () => {
    const stdin = conf.replace('rate < 1, 2 < rate', '0.3 < rate < 1');
    expect(await typed(['lint'], { stdin })).toEqual({ status: 0, stdout: 'nothing to remark\n', stderr: '' });
  });
});

describe('completion', () => {
  let daemon: FixedDaemon;
  beforeEach(async () => {
    daemon = await fixedDaemon({ 'GET /v1.1/endpoints': { body: ['web', 'pyex', 'pylons'] } });
  });
  afterEach(() => daemon.close());

  async function offered(...words: readonly string[]): Promise<readonly string[]> {
    const argv = ['complete-words', '--', String(words.length), 'reactor', ...words];
    const { status, stdout, stderr } = await typed(argv, { env: { REACTOR_API: daemon.api } });
    expect([status, stderr]).toEqual([0, '']);
    return stdout.split('\n').filter((line) => line !== '');
  }

  test('offers verbs first', async () => {
    expect(await offered('sta')).toEqual(['start', 'state']);
    expect((await offered('')).length).toBe(VERBS.length);
    expect(daemon.requests).toEqual([]);
  });

  test('offers the names of the endpoints, also after options', async () => {
    expect(await offered('explain', 'py')).toEqual(['pyex', 'pylons']);
    expect(await offered('--json', 'explain', 'w')).toEqual(['web']);
  });

  test('offers endpoints ready for a count, and hosts', async () => {
    expect(await offered('scale', 'we')).toEqual(['web=']);
    expect(await offered('ps', 'we')).toEqual(['web']);
    await daemon.close();
    daemon = await fixedDaemon({ 'GET /v1.1/hosts': { body: [{ id: 'vm2' }, { id: 'vm1' }] } });
    expect(await offered('host', 'drain', 'v')).toEqual(['vm1', 'vm2']);
  });

  test('offers options of the verb, sections, shells and topics', async () => {
    expect(await offered('get-metrics', '--p')).toEqual(['--password', '--password-file', '--python']);
    expect(await offered('list', '--p')).toEqual(['--password', '--password-file']);
    expect(await offered('set', 'pyex', 'cl')).toEqual(['cloud:docker']);
    expect(await offered('completion', '')).toEqual(['bash', 'zsh']);
    expect(await offered('host', 'd')).toEqual(['drain']);
    expect(await offered('help', 'ru')).toEqual(['rules']);
    expect(await offered('list', '')).toEqual([]);
  });

  test('offers nothing, in silence, when no daemon answers or the line is wrong', async () => {
    await daemon.close();
    expect(await offered('explain', '')).toEqual([]);
    expect(await offered('--nonsense', '')).toEqual([]);
    daemon = await fixedDaemon({});
  });

  test.each([['bash'], ['zsh']])('prints a script for %s', async (shell) => {
    const { status, stdout } = await typed(['completion', shell]);
    expect(status).toBe(0);
    expect(stdout).toContain('reactor complete-words --');
  });

  test('bash accepts the script and passes it the words of the line', async () => {
    const { stdout: script } = await typed(['completion', 'bash']);
    const session = `${script}
      reactor() { printf '%s ' "$@"; }
      COMP_WORDS=(reactor explain py); COMP_CWORD=2
      _reactor
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect(await shellOutput('bash', session)).toBe('complete-words -- 2 reactor explain py \n');
  });
});

test('the version is the one of the package', () => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  expect(JSON.parse(text).version).toBe(VERSION);
});

function shellOutput(shell: string, script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(shell, ['--norc', '--noprofile'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    child.on('error', reject);
    child.on('close', () => resolve(text));
    child.stdin.end(script);
  });
}
