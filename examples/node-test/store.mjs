// A store that acknowledges a write once it is on the disk. node store.mjs <file>
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';

const file = await open(process.argv[2], 'a');
const server = createServer(async (request, response) => {
  await file.appendFile(`${request.url.slice(1)}\n`);
  await file.datasync();
  response.end('kept');
});
server.listen(0, '127.0.0.1', () => console.log(`listening at ${server.address().port}`));
