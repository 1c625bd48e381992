import { connect, type Socket } from 'node:net';
import { onAbort } from '../../base/abort.js';
import type { TcpTarget } from '../options.js';
import { type Asker, asker, assertHas } from './ask.js';

/** A server that talks without end is not listened to any longer. */
const ANSWER_CHARACTERS_MAX = 1 << 20;

export const tcpAsker = (target: TcpTarget): Asker =>
  asker(async (signal) => {
    const { host, port } = endpointOf(target.tcp);
    const socket = connect({ port, host });
    using _abort = onAbort(signal, () => socket.destroy());
    try {
      await answered(socket, target);
    } finally {
      socket.destroy();
    }
  });

function answered(socket: Socket, { send, expectText }: TcpTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.setEncoding('utf8');
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed without an answer')));
    socket.once('connect', () => {
      if (send !== undefined) socket.write(send);
      else if (expectText === undefined) resolve();
    });
    socket.on('data', (part: string) => {
      answer += part;
      if (expectText === undefined || answer.includes(expectText)) resolve();
      else if (answer.length > ANSWER_CHARACTERS_MAX) refuse();
    });
    socket.once('end', refuse);

    function refuse(): void {
      try {
        assertHas(answer, expectText ?? 'an answer');
      } catch (error) {
        reject(error);
      }
    }
  });
}

function endpointOf(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}
