import { openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';

const ENTER = new Set(['\r', '\n', '\u0004']);
const BACKSPACE = new Set(['\b', '\u007f']);
const INTERRUPT = '\u0003';
/** As shells report a program ended by Ctrl-C: 128 + SIGINT. */
const INTERRUPTED_STATUS = 130;

/**
 * Asks at the controlling terminal without echo, which works while standard input carries a configuration.
 * Answers null when there is no terminal to ask at.
 */
export async function askPassword(prompt: string): Promise<string | null> {
  let descriptor: number;
  try {
    descriptor = openSync('/dev/tty', 'r+');
  } catch {
    return null;
  }
  const terminal = new ReadStream(descriptor);
  terminal.setEncoding('utf8');
  // Before the prompt: whoever answers quickly must not see it echoed.
  terminal.setRawMode(true);
  writeSync(descriptor, prompt);
  return new Promise((resolve) => {
    const typed: string[] = [];
    // Raw mode must end before the stream does: closing the terminal would leave the shell without echo.
    const finish = (): void => {
      terminal.setRawMode(false);
      writeSync(descriptor, '\n');
      terminal.destroy();
    };
    terminal.on('data', (chunk: string | Buffer) => {
      for (const character of chunk.toString()) {
        if (character === INTERRUPT) {
          finish();
          process.exit(INTERRUPTED_STATUS);
        }
        if (ENTER.has(character)) {
          finish();
          resolve(typed.join(''));
          return;
        }
        if (BACKSPACE.has(character)) typed.pop();
        else typed.push(character);
      }
    });
  });
}
