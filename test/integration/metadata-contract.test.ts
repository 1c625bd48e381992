// The wire contract of Scheduled Events, one row a rule.

import type { MetadataServer } from 'standstill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, acknowledge, ask, documentOf, metadataOf } from '../fixtures/metadata.js';

const HOUR_MS = 3_600_000;
const VERSION_ERROR = {
  error:
    'Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds',
  'newest-versions': ['2020-07-01', '2019-08-01', '2019-04-01'],
};
const HEADER_ERROR = { error: 'Bad request. Required metadata header not specified' };
const EVENTS = '/metadata/scheduledevents?api-version=2020-07-01';
const METADATA = { Metadata: 'true' };

let server: MetadataServer;
let url: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  server = await metadataOf(['web-0'], { instanceRequestsPerSecond: 0 });
  url = server.urlOf('web-0') as string;
  for (const type of ['Freeze', 'Preempt', 'Terminate'] as const) {
    const [raised] = server.raise({ type, vms: ['web-0'], noticeMs: HOUR_MS, durationMs: 9000 });
    ids[type] = raised?.id ?? '';
  }
});
afterAll(() => server.close());

const started = (...names: string[]) => JSON.stringify({ StartRequests: names.map((EventId) => ({ EventId })) });

interface Rule extends Asked {
  readonly rule: string;
  readonly path?: string;
  readonly status: number;
  readonly json?: object;
}

const RULES: Rule[] = [
  { rule: 'GET with header and version answers', status: 200 },
  { rule: 'the path is matched in any case', path: '/Metadata/scheduledEvents?api-version=2020-07-01', status: 200 },
  { rule: 'header names are matched in any case', headers: { METADATA: 'true' }, status: 200 },
  { rule: 'the value of the header is matched in any case', headers: { metadata: 'True' }, status: 200 },
  { rule: 'no Metadata header', headers: {}, status: 400, json: HEADER_ERROR },
  { rule: 'another Metadata header', headers: { Metadata: 'false' }, status: 400, json: HEADER_ERROR },
  {
    rule: 'the first version after the preview enforces the header',
    path: '/metadata/scheduledevents?api-version=2017-08-01',
    headers: {},
    status: 400,
    json: HEADER_ERROR,
  },
  { rule: 'the preview does not', path: '/metadata/scheduledevents?api-version=2017-03-01', headers: {}, status: 200 },
  {
    rule: 'instance metadata enforces the header',
    path: '/metadata/instance?api-version=2021-02-01',
    headers: {},
    status: 400,
    json: HEADER_ERROR,
  },
  { rule: 'so do the versions', path: '/metadata/versions', headers: {}, status: 400, json: HEADER_ERROR },
  { rule: 'X-Forwarded-For', headers: { ...METADATA, 'X-Forwarded-For': '10.0.0.1' }, status: 400 },
  { rule: 'Origin', headers: { ...METADATA, Origin: 'http://example.org' }, status: 400 },
  { rule: 'Sec-Fetch-Site', headers: { ...METADATA, 'Sec-Fetch-Site': 'same-origin' }, status: 400 },
  { rule: 'Origin on a POST', method: 'POST', headers: { ...METADATA, Origin: 'null' }, body: started(), status: 400 },
  {
    rule: 'a preflight',
    method: 'OPTIONS',
    headers: { Origin: 'http://a.b', 'Access-Control-Request-Method': 'GET' },
    status: 400,
  },
  { rule: 'any Host: clients stand behind names', headers: { ...METADATA, Host: 'metadata.example' }, status: 200 },
  { rule: 'no version', path: '/metadata/scheduledevents', status: 400, json: VERSION_ERROR },
  { rule: 'an empty version', path: '/metadata/scheduledevents?api-version=', status: 400, json: VERSION_ERROR },
  {
    rule: 'an unknown version',
    path: '/metadata/scheduledevents?api-version=2020-07-02',
    status: 400,
    json: VERSION_ERROR,
  },
  {
    rule: 'a version of another service',
    path: '/metadata/scheduledevents?api-version=2021-02-01',
    status: 400,
    json: VERSION_ERROR,
  },
  {
    rule: 'a repeated version',
    path: '/metadata/scheduledevents?api-version=2020-07-01&api-version=2020-07-01',
    status: 400,
    json: VERSION_ERROR,
  },
  {
    rule: 'a POST without version',
    path: '/metadata/scheduledevents',
    method: 'POST',
    body: started(),
    status: 400,
    json: VERSION_ERROR,
  },
  { rule: 'an unknown path', path: '/metadata/nothing?api-version=2020-07-01', status: 404 },
  { rule: 'the root', path: '/', status: 404 },
  { rule: 'a path below events', path: '/metadata/scheduledevents/x?api-version=2020-07-01', status: 404 },
  ...['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE'].map((method) => ({
    rule: `${method} on events`,
    method,
    status: 405,
  })),
  {
    rule: 'POST on instance',
    path: '/metadata/instance?api-version=2021-02-01',
    method: 'POST',
    body: '{}',
    status: 405,
  },
  { rule: 'POST on versions', path: '/metadata/versions', method: 'POST', body: '{}', status: 405 },
  { rule: 'a POST without a body', method: 'POST', status: 400 },
  { rule: 'a POST that is no JSON', method: 'POST', body: 'StartRequests', status: 400 },
  { rule: 'a POST that is no object', method: 'POST', body: '[]', status: 400 },
  { rule: 'a POST of null', method: 'POST', body: 'null', status: 400 },
  { rule: 'a POST without StartRequests', method: 'POST', body: '{}', status: 400 },
  { rule: 'StartRequests that are no list', method: 'POST', body: '{"StartRequests":{"EventId":"x"}}', status: 400 },
  { rule: 'a request without EventId', method: 'POST', body: '{"StartRequests":[{}]}', status: 400 },
  { rule: 'an EventId that is no text', method: 'POST', body: '{"StartRequests":[{"EventId":5}]}', status: 400 },
  { rule: 'a body in another encoding', method: 'POST', body: Buffer.from(started(), 'utf16le'), status: 400 },
  { rule: 'an unknown EventId', method: 'POST', body: started('00000000-0000-0000-0000-000000000000'), status: 400 },
  { rule: 'an empty list asks for nothing', method: 'POST', body: started(), status: 200 },
  { rule: 'a byte order mark', method: 'POST', body: `\uFEFF${started()}`, status: 200 },
  ...['application/x-www-form-urlencoded', 'text/plain', 'application/json; charset=utf-16', ';;;', ''].map((type) => ({
    rule: `JSON, although its Content-Type is '${type}'`,
    method: 'POST',
    headers: { ...METADATA, 'Content-Type': type },
    body: started(),
    status: 200,
  })),
  {
    rule: 'a conditional header on POST is ignored',
    method: 'POST',
    headers: { ...METADATA, 'If-None-Match': '*' },
    body: started(),
    status: 200,
  },
  { rule: 'never 412', method: 'POST', headers: { ...METADATA, 'If-Match': '"x"' }, body: started(), status: 200 },
  { rule: 'a body of 64 KiB', method: 'POST', body: started().padEnd(64 * 1024), status: 200 },
  { rule: 'a byte more', method: 'POST', body: started().padEnd(64 * 1024 + 1), status: 413 },
  {
    rule: 'a byte more, in chunks',
    method: 'POST',
    headers: { ...METADATA, 'Transfer-Encoding': 'chunked' },
    body: started().padEnd(64 * 1024 + 1),
    status: 413,
  },
];

it.each(RULES)('$rule → $status', async ({ path = EVENTS, status, json, ...asked }) => {
  const reply = await ask(url + path, asked);
  expect(reply).toMatchObject({ status });
  if (json !== undefined) expect(JSON.parse(reply.body)).toEqual(json);
  if (status === 405) expect(reply.headers.allow).toBe(path === EVENTS ? 'GET, POST' : 'GET');
  if (status >= 400 && asked.method !== 'HEAD') expect(typeof JSON.parse(reply.body).error).toBe('string');
  if (reply.body !== '') expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
  if (status === 200) expect(reply.headers.etag).toMatch(/^"[\w-]+"$/);
});

it('the bodies of errors are the cloud’s, to the byte', async () => {
  expect((await ask(`${url}${EVENTS}`, { headers: {} })).body).toBe(
    '{"error":"Bad request. Required metadata header not specified"}',
  );
  expect((await ask(`${url}/metadata/scheduledevents`)).body).toBe(
    '{"error":"Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds","newest-versions":["2020-07-01","2019-08-01","2019-04-01"]}',
  );
});

describe('a GET with If-None-Match', () => {
  const get = (tag: string, path = EVENTS) => ask(url + path, { headers: { ...METADATA, 'If-None-Match': tag } });

  it('is answered 304 without a body where the tag is known, weak or in a list', async () => {
    const { etag = '' } = (await ask(url + EVENTS)).headers;
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      expect(await get(tag)).toMatchObject({ status: 304, body: '', headers: { etag } });
    }
    expect(await get('"other"')).toMatchObject({ status: 200 });
  });

  it('is of one api-version: another one has another body, and so another tag', async () => {
    const { etag = '' } = (await ask(url + EVENTS)).headers;
    expect(await get(etag, '/metadata/scheduledevents?api-version=2019-08-01')).toMatchObject({ status: 200 });
  });

  it('is answered with the new document once that has changed', async () => {
    const { etag = '' } = (await ask(url + EVENTS)).headers;
    const [raised] = server.raise({ type: 'Freeze', vms: ['web-0'], noticeMs: HOUR_MS });
    expect(await get(etag)).toMatchObject({ status: 200 });
    server.cancel(raised?.id ?? '');
  });
});

describe('the document', () => {
  const KEYS = [
    ['2017-03-01', ['EventId', 'EventStatus', 'EventType', 'ResourceType', 'Resources', 'NotBefore']],
    ['2017-08-01', ['EventId', 'EventStatus', 'EventType', 'ResourceType', 'Resources', 'NotBefore']],
    ['2017-11-01', ['EventId', 'EventStatus', 'EventType', 'ResourceType', 'Resources', 'NotBefore']],
    ['2019-01-01', ['EventId', 'EventStatus', 'EventType', 'ResourceType', 'Resources', 'NotBefore']],
    ['2019-04-01', ['EventId', 'EventStatus', 'EventType', 'ResourceType', 'Resources', 'NotBefore', 'Description']],
    [
      '2019-08-01',
      ['EventId', 'EventStatus', 'EventType', 'ResourceType', 'Resources', 'NotBefore', 'Description', 'EventSource'],
    ],
    [
      '2020-07-01',
      [
        'EventId',
        'EventStatus',
        'EventType',
        'ResourceType',
        'Resources',
        'NotBefore',
        'Description',
        'EventSource',
        'DurationInSeconds',
      ],
    ],
  ] as const;

  it.each(KEYS)('has in %s exactly its keys, in this order', async (version, keys) => {
    const document = await documentOf(url, version);
    expect(Object.keys(document)).toEqual(['DocumentIncarnation', 'Events']);
    expect(document.Events.length).toBeGreaterThan(0);
    for (const event of document.Events) expect(Object.keys(event)).toEqual(keys);
  });

  it.each([
    ['2017-03-01', ['Freeze']],
    ['2017-08-01', ['Freeze']],
    ['2017-11-01', ['Freeze', 'Preempt']],
    ['2019-01-01', ['Freeze', 'Preempt', 'Terminate']],
    ['2020-07-01', ['Freeze', 'Preempt', 'Terminate']],
  ])('has in %s the event types %j', async (version, types) => {
    const { Events } = await documentOf(url, version);
    expect(Events.map((event) => Reflect.get(event, 'EventType'))).toEqual(types);
  });

  it('is the same through two api-versions but for what the newer one added', async () => {
    const [older, newer] = [await documentOf(url, '2017-08-01'), await documentOf(url, '2020-07-01')];
    expect(newer.DocumentIncarnation).toBe(older.DocumentIncarnation);
    for (const event of older.Events) {
      expect(newer.Events.find(({ EventId }) => EventId === event.EventId)).toMatchObject(event);
    }
    const { body } = await ask(`${url}/metadata/scheduledevents?api-version=2017-03-01`);
    expect(JSON.parse(body).Events[0].Resources).toEqual(['_web-0']);
  });

  it('is in bytes what captures of the cloud are', async () => {
    const { body } = await ask(url + EVENTS);
    const [first] = JSON.parse(body).Events;
    expect(body).toMatch(
      new RegExp(
        `^{"DocumentIncarnation":\\d+,"Events":\\[{"EventId":"${ids.Freeze}","EventStatus":"Scheduled","EventType":"Freeze",` +
          `"ResourceType":"VirtualMachine","Resources":\\["web-0"\\],"NotBefore":"${first.NotBefore}",` +
          '"Description":"Host server is undergoing maintenance\\.","EventSource":"Platform","DurationInSeconds":9}',
      ),
    );
    expect(first.EventId).toMatch(/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
    expect(first.NotBefore).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
  });
});

describe('an acknowledgement', () => {
  it('is answered 200 by a body that is empty, again and again, in any case and with keys more', async () => {
    const [raised] = server.raise({ type: 'Freeze', vms: ['web-0'], noticeMs: HOUR_MS, durationMs: HOUR_MS });
    const id = raised?.id ?? '';
    for (const given of [id, id, id.toLowerCase()]) {
      expect(await acknowledge(url, given)).toMatchObject({ status: 200, body: '' });
    }
    const body = JSON.stringify({ DocumentIncarnation: '5', StartRequests: [{ EventId: id, Why: 1 }] });
    const path = '/metadata/scheduledevents?api-version=2017-08-01';
    expect(await ask(url + path, { method: 'POST', body })).toMatchObject({ status: 200 });
    const seen = (await documentOf(url)).Events.find(({ EventId }) => EventId === id);
    expect(seen).toMatchObject({ EventStatus: 'Started', NotBefore: '' });
  });

  it('of a known and an unknown event acknowledges neither', async () => {
    const { status } = await acknowledge(url, ids.Preempt ?? '', 'unknown');
    expect(status).toBe(400);
    const seen = (await documentOf(url)).Events.find(({ EventId }) => EventId === ids.Preempt);
    expect(seen?.EventStatus).toBe('Scheduled');
  });

  it('may come through a version that does not know the event’s type', async () => {
    const [raised] = server.raise({ type: 'Terminate', vms: ['web-0'], noticeMs: HOUR_MS, settleMs: HOUR_MS });
    const path = '/metadata/scheduledevents?api-version=2017-08-01';
    const reply = await ask(url + path, { method: 'POST', body: started(raised?.id ?? '') });
    expect(reply.status).toBe(200);
    const seen = (await documentOf(url)).Events.find(({ EventId }) => EventId === raised?.id);
    expect(seen?.EventStatus).toBe('Started');
  });
});
