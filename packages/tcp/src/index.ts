export { createTcp, type TcpOptions } from './tcp.js';
