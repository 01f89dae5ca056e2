import { fault, type Link, type Parsed, parsed } from '@reactor/core';
import { parseHost } from './address.js';
import { quote } from './mistake.js';
import { parseEndpointName } from './name.js';

/** What `[cloud:docker]` says about the container: image, command, user, environment, volumes, network. */

const IMAGE_LENGTH_MAX = 512;
const COMMAND_WORDS_MAX = 256;
const NAME = '[A-Za-z0-9][A-Za-z0-9_.-]*';

/** `[registry[:port]/]path[:tag][@digest]`, or an image id. */
const PATH_PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REGISTRY = '(?:localhost|[A-Za-z0-9][A-Za-z0-9-]*(?:\\.[A-Za-z0-9-]+)+|[A-Za-z0-9][A-Za-z0-9-]*(?=:[0-9]))(?::[0-9]{1,5})?';
const IMAGE = new RegExp(
  `^(?:(?:${REGISTRY}/)?${PATH_PART}(?:/${PATH_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64})$`,
);

export function parseImage(text: string): Parsed<string> {
  const fits = text.length <= IMAGE_LENGTH_MAX && IMAGE.test(text);
  return fits ? parsed(text) : fault(1, `${quote(text)} is not a valid image reference`);
}

/**
 * Words as a shell would split them: blanks separate, quotes group, a backslash takes the next character as it is
 * (within double quotes only before `"` and `\`). Nothing is expanded and no shell is run.
 */
export function parseCommand(text: string): Parsed<readonly string[] | null> {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (/[ \t\n]/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    if (character === "'" || character === '"') {
      const quoted = readQuoted(text, at);
      if (quoted === null) return fault(at + 1, 'unbalanced quote');
      word = (word ?? '') + quoted.content;
      at = quoted.end;
    } else if (character === '\\') {
      if (at + 1 === text.length) return fault(at + 1, 'nothing follows the backslash');
      word = (word ?? '') + text[++at]!;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  if (words.length > COMMAND_WORDS_MAX) return fault(1, `more than ${COMMAND_WORDS_MAX} words`);
  return parsed(words.length === 0 ? null : words);
}

/** What stands between the quote at `start` and its partner at `end`. */
function readQuoted(text: string, start: number): { readonly content: string; readonly end: number } | null {
  const mark = text[start]!;
  let content = '';
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === mark) return { content, end: at };
    const escapes = mark === '"' && character === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\');
    content += escapes ? text[++at]! : character;
  }
  return null;
}

export function parseUser(text: string): Parsed<string> {
  const fits = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/.test(text);
  return fits ? parsed(text) : fault(1, `${quote(text)}: letters, digits, . _ - : only, as in user or user:group`);
}

/** Values may be secret, so none is repeated in a message. */
export function parseVariable(text: string): Parsed<readonly [name: string, value: string]> {
  const at = text.indexOf('=');
  if (at < 0) return fault(1, 'expected KEY=value');
  const name = text.slice(0, at).trim();
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) return fault(1, `${quote(name)} is not a variable's name; expected KEY=value`);
  // Reactor sets these itself; a container that could set them could pass for another.
  if (/^_?REACTOR_/.test(name)) return fault(1, `${quote(name)} is reserved`);
  return parsed([name, text.slice(at + 1).trim()]);
}

/** `ENDPOINT`, or `ENDPOINT:NAME` for another name in the container, which is a host name there and a prefix of variables. */
export function parseLink(text: string): Parsed<Link> {
  const at = text.indexOf(':');
  const endpoint = parseEndpointName(at < 0 ? text : text.slice(0, at));
  if (!endpoint.ok) return endpoint;
  const alias = parseHost(at < 0 ? endpoint.value : text.slice(at + 1));
  if (!alias.ok) return fault(at + 1 + alias.fault.column, `${alias.fault.message}; write ENDPOINT:NAME`);
  return parsed({ endpoint: endpoint.value, alias: alias.value });
}

export function parseVolume(text: string): Parsed<string> {
  const fits = new RegExp(`^(/[^:]*|${NAME}):/[^:]*(:(ro|rw|z|Z)){0,2}$`).test(text);
  return fits ? parsed(text) : fault(1, `${quote(text)}: expected SOURCE:/TARGET or SOURCE:/TARGET:ro`);
}

export function parseVolumesFrom(text: string): Parsed<string> {
  const fits = new RegExp(`^${NAME}(:(ro|rw))?$`).test(text);
  return fits ? parsed(text) : fault(1, `${quote(text)}: expected CONTAINER or CONTAINER:ro`);
}

export function parseNetwork(text: string): Parsed<string> {
  const fits = text.length <= 255 && new RegExp(`^(container:)?${NAME}$`).test(text);
  return fits ? parsed(text) : fault(1, `${quote(text)}: expected a network's name, host, none or container:NAME`);
}
