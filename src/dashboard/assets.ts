import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { sendText } from '../scheduled-events/replies.js';

/** The page as it is served: there is no build step. Found from src and from dist alike. */
const PAGE = fileURLToPath(new URL('../../src/dashboard/page', import.meta.url));
const UPLOT = join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist');
const UPLOT_FILES = ['uPlot.esm.js', 'uPlot.min.css'];

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Everything comes from here, and nothing may frame it. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
};

/** The files of the page, each at a path of its own, read once. They tell nothing of what the dashboard shows. */
export function serveAssets(app: FastifyInstance): void {
  const files = [
    ...readdirSync(PAGE).map((name) => ({ path: `/${name}`, file: join(PAGE, name) })),
    ...UPLOT_FILES.map((name) => ({ path: `/uplot/${name}`, file: join(UPLOT, name) })),
  ];
  for (const { path, file } of files) {
    const type = TYPES[extname(file)];
    if (type === undefined) continue;
    const body = readFileSync(file, 'utf8');
    app.get(path === '/index.html' ? '/' : path, (request, reply) =>
      sendText(request, reply.headers(HEADERS), body, type),
    );
  }
}
