import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Answers, type Command, lineReader, type Numbered, type Reply } from './command.js';

/** The proxy's side of the control socket. Commands of one connection are obeyed one after the other. */
export type Obey = (command: Command) => Promise<Answers[Command['do']]>;

const OWNER_ONLY = 0o600;

export async function serveControl(path: string, obey: Obey): Promise<Server> {
  const server = createServer((socket) => serve(socket, obey));
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, OWNER_ONLY);
  return server;
}

function serve(socket: Socket, obey: Obey): void {
  let last: Promise<unknown> = Promise.resolve();
  const answer = async (text: string): Promise<void> => {
    const { number, ...command } = JSON.parse(text) as Numbered<Command>;
    const reply = await Promise.resolve(command as Command)
      .then(obey)
      .then(
        (given): Reply => ({ number, answer: given }),
        (error: unknown): Reply => ({ number, problem: error instanceof Error ? error.message : String(error) }),
      );
    if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`);
  };
  const read = lineReader((text) => {
    // What is not a command is said by somebody who is not the driver.
    last = last.then(() => answer(text)).catch(() => socket.destroy());
  });
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('data', (part: string) => {
    try {
      read(part);
    } catch {
      socket.destroy();
    }
  });
}
