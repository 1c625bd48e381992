// A small service with a state in memory. With WATCHDOG set it has a bug that a freeze brings to light: it takes a gap in
// its own ticking for a deadlock, and gives up.
import { createServer } from 'node:http';

const sessions = new Map(Array.from({ length: 10_000 }, (_, id) => [id, `session ${id}`]));
let tickedAt = performance.now();

setInterval(() => {
  const gapMs = performance.now() - tickedAt;
  tickedAt = performance.now();
  if (process.env.WATCHDOG !== undefined && gapMs > 1000) process.exit(1);
}, 50);

createServer((request, response) => {
  response.writeHead(request.url === '/health' ? 200 : 404);
  response.end(`${sessions.size}\n`);
}).listen(Number(process.argv[2]), '127.0.0.1');
