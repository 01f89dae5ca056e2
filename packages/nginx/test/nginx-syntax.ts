/**
 * nginx's configuration as nginx's own lexer takes it apart (ngx_conf_read_token): words, quotes, comments, blocks. So that a
 * test sees what a text means to nginx, whatever it looks like.
 */
export interface Statement {
  /** Names of the blocks it stands in, outermost first. */
  readonly within: readonly string[];
  readonly words: readonly string[];
}

/** All statements, blocks before what stands in them. Throws where nginx would refuse the text. */
export function statementsOf(text: string): readonly Statement[] {
  const found: Statement[] = [];
  const within: string[] = [];
  let words: string[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (/[ \t\r\n]/.test(character)) at++;
    else if (character === '#') at = endOfLine(text, at);
    else if (character === ';' || character === '{') {
      if (words.length === 0) throw new Error(`unexpected ${character} at ${at}`);
      found.push({ within: [...within], words });
      if (character === '{') within.push(words[0]!);
      words = [];
      at++;
    } else if (character === '}') {
      if (words.length > 0 || within.pop() === undefined) throw new Error(`unexpected } at ${at}`);
      at++;
    } else {
      const word = wordAt(text, at);
      words.push(word.text);
      at = word.end;
    }
  }
  if (words.length > 0 || within.length > 0) throw new Error('unexpected end of file');
  return found;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function wordAt(text: string, from: number): { readonly text: string; readonly end: number } {
  const mark = text[from];
  if (mark === '"' || mark === "'") {
    let content = '';
    for (let at = from + 1; at < text.length; at++) {
      if (text[at] === '\\') content += text[at++];
      else if (text[at] === mark) {
        if (!/[ \t\r\n;{)]/.test(text[at + 1] ?? '')) throw new Error(`unexpected text behind a quote at ${at}`);
        return { text: content, end: at + 1 };
      }
      content += text[at] ?? '';
    }
    throw new Error('a quote is never closed');
  }
  let end = from;
  while (end < text.length && !/[ \t\r\n;{]/.test(text[end]!)) end += text[end] === '\\' ? 2 : 1;
  return { text: text.slice(from, end), end };
}
