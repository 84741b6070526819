// A call that is forged, hangs, is sent elsewhere, or tells the secret that it was signed with.
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { callSigned } from '../../integrations/signed-call.js';

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Received {
  headers: IncomingMessage['headers'];
  body: string;
}

async function serve(
  answer: (response: ServerResponse, received: Received) => void,
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      answer(response, { headers: request.headers, body });
    });
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

const secret = `whsec_${Buffer.from('a secret of thirty-two bytes ....').toString('base64')}`;
const call = (url: string, more: object = {}) =>
  callSigned({
    ...{ url, body: { point: 'before node', node: '10.0.0.5:6379' }, key: 'orders/run/before-node/mute' },
    ...{ timeout: 5000, signal: new AbortController().signal, now: Date.UTC(2026, 10, 30), ...more },
  });

test('whoever is called can prove that it was us, what we said, and for which key', async () => {
  const { url, received } = await serve((response) => response.end('muted for 1 h'));
  expect(await call(url, { secret, token: 'sesame' })).toMatchObject({ said: 'muted for 1 h' });
  const [{ headers, body }] = received as [Received];
  expect(JSON.parse(body)).toEqual({ point: 'before node', node: '10.0.0.5:6379' });
  expect(headers).toMatchObject({
    ...{ authorization: 'Bearer sesame', 'idempotency-key': 'orders/run/before-node/mute' },
    ...{ 'webhook-id': 'orders/run/before-node/mute', 'webhook-timestamp': String(Date.UTC(2026, 10, 30) / 1000) },
  });
  // As the specification has it: `id.timestamp.body` under the secret's bytes.
  const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${body}`;
  const expected = createHmac('sha256', 'a secret of thirty-two bytes ....').update(signed).digest('base64');
  expect(headers['webhook-signature']).toBe(`v1,${expected}`);
});

test('another status, a redirect and nobody there are failures with a reason, and what is answered tells no secret', async () => {
  const refusing = await serve((response) => response.writeHead(503).end(`${secret} is not for you`));
  expect(await call(refusing.url, { secret })).toMatchObject({ problem: 'HTTP 503', said: '… is not for you' });
  const elsewhere = await serve((response) => response.end('here'));
  const leading = await serve((response) => response.writeHead(302, { location: elsewhere.url }).end());
  expect(await call(leading.url)).toMatchObject({ problem: 'HTTP 302' });
  expect(elsewhere.received).toEqual([]);
  expect((await call('http://127.0.0.1:1/hook')).problem).toMatch(/ECONNREFUSED|bad port/);
});

test('one that hangs is given up in time, and one whose attempt has ended at once', async () => {
  const { url } = await serve(() => undefined);
  expect(await call(url, { timeout: 200 })).toMatchObject({ problem: 'no answer within 200 ms' });
  const controller = new AbortController();
  const hanging = call(url, { signal: controller.signal });
  controller.abort(new Error('the worker stops'));
  await expect(hanging).rejects.toThrow('the worker stops');
});
