import { readFileSync } from 'node:fs';

const LISTENING = '0A';

/** Whether anybody listens at a TCP port of the network in which these processes are. */
export function listensAt(pids: readonly number[], port: number): boolean {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return pids.some((pid) =>
    ['tcp', 'tcp6'].some((table) => rowsOf(pid, table).some((row) => isListening(row.trim().split(/\s+/), wanted))),
  );
}

/** "sl local_address remote_address state …", the addresses as hexadecimal digits with their port behind a colon. */
const isListening = ([, local = '', , state]: readonly string[], port: string): boolean =>
  state === LISTENING && local.endsWith(`:${port}`);

/** None of a process that has ended meanwhile. */
function rowsOf(pid: number, table: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1);
  } catch {
    return [];
  }
}
