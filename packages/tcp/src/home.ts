import { join } from 'node:path';

/** Where the process of a directory keeps its things. */
export const placesIn = (directory: string) => ({
  socket: join(directory, 'control.sock'),
  pid: join(directory, 'tcp.pid'),
  /** The last document that was applied. */
  document: join(directory, 'document.json'),
  log: join(directory, 'tcp.log'),
});
