import type { Socket } from 'node:net';

/**
 * A client in the queue is read, up to one buffer, or its end would never be heard of and the dead would be served. One
 * that ends without having said a word has left; one that ends after a word is waiting for the answer.
 */
export function watchWaiting(socket: Socket): void {
  socket.on('readable', readEnd);
  socket.on('end', leave);
}

export function stopWatching(socket: Socket): void {
  socket.off('readable', readEnd);
  socket.off('end', leave);
}

/** Nothing to read and yet readable is the end; reading is what makes it known. */
function readEnd(this: Socket): void {
  if (this.readableLength === 0) this.read();
}

function leave(this: Socket): void {
  this.destroy();
}
