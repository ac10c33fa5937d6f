import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentClient } from '../../../driver/agent/agent-client.ts';
import { AgentServer } from '../../../driver/agent/agent-server.ts';
import { keepConnected } from '../../../driver/agent/keep-connected.ts';
import { HostBench, pin, puk } from '../desk/host-bench.ts';
import { bob } from '../desk/stand-in-papers.ts';

const exampleKey = {
  paymentId: '00'.repeat(32),
  peer: 'bob@q2',
  role: 'payer',
  state: 'active',
  sendEpoch: '0',
} as const;

let bench: HostBench;
let server: AgentServer | undefined;
const clients: AgentClient[] = [];

beforeEach(async () => {
  bench = await HostBench.open();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await server?.close();
  server = undefined;
  await bench.close();
});

async function listen(): Promise<AgentServer> {
  server = await AgentServer.listen(bench.folder, bench.runner, 'pcsc');
  return server;
}

async function client(): Promise<AgentClient> {
  const connected = await AgentClient.connect(bench.folder);
  if (connected === undefined) throw new Error('no agent listens');
  clients.push(connected);
  return connected;
}

describe('the agent at its socket', () => {
  it('is for the owner of the wallet alone', async () => {
    const { path } = await listen();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(bench.folder).mode & 0o077).toBe(0);
  });

  it('is one, of several that are started in one instant', async () => {
    await bench.enrol();
    const started = await Promise.allSettled(
      [1, 2, 3].map(() => AgentServer.listen(bench.folder, bench.runner, 'pcsc')),
    );
    const serving = started.filter((one) => one.status === 'fulfilled');
    const refused = started.filter((one) => one.status === 'rejected');
    expect(serving).toHaveLength(1);
    server = serving[0]?.value;
    const why: unknown[] = refused.map(({ reason }) => reason as unknown);
    expect(why).toMatchObject([{ code: 'agent-running' }, { code: 'agent-running' }]);
    expect(await (await client()).run('keys', {})).toMatchObject({ keys: [] });
    await server?.close();
    server = await AgentServer.listen(bench.folder, bench.runner, 'pcsc');
  });

  it('runs errands with progress, results and refusals as a host of ones own does', async () => {
    await bench.enrol();
    await listen();
    const agent = await client();
    const seen: number[] = [];
    const bought = await agent.run(
      'buy',
      { lines: [{ value: '30', count: 2 }] },
      { onProgress: ({ loaded }) => seen.push(loaded) },
    );
    expect(bought).toMatchObject({ coins: 2, value: '60' });
    expect(seen).toEqual([1, 2]);
    bench.desk.script.fees = [1n, 1n];
    const quote = await agent.run('quote', { payee: bob, minimumSuite: 'aes', avoid: [] });
    await expect(
      agent.run('pay', { quoteId: quote.quoteId, exchange: false, waitMs: 0 }),
    ).rejects.toMatchObject({ outcome: 'refused', code: 'no-matching-coin' });
  });

  it('serves several commands at once, each with its own answers', async () => {
    await bench.enrol();
    await listen();
    const [first, second] = [await client(), await client()];
    const [balance, keys, info] = await Promise.all([
      first.run('balance', {}),
      second.run('keys', {}),
      first.run('card-info', {}),
    ]);
    expect(balance.account).toBe('10000');
    expect(keys).toEqual({ keys: [] });
    expect(info.lifeCycle).toBe('enrolled');
  });

  it('takes a PIN from a command where it has none', async () => {
    await bench.enrol();
    await bench.restart();
    await listen();
    const agent = await client();
    await expect(agent.run('keys', {})).rejects.toMatchObject({ code: 'pin-needed' });
    await expect(agent.run('keys', {}, { pin })).resolves.toEqual({ keys: [] });
    await expect(agent.run('keys', {})).resolves.toEqual({ keys: [] });
  });

  it('refuses a second agent, and takes over from one that was killed', async () => {
    const { path } = await listen();
    await expect(AgentServer.listen(bench.folder, bench.runner, 'pcsc')).rejects.toMatchObject({
      code: 'agent-running',
    });
    await server?.close();
    writeFileSync(path, '');
    await listen();
    await expect(client()).resolves.toBeInstanceOf(AgentClient);
  });

  it('that ends leaves changing errands unknown and nothing behind', async () => {
    await bench.enrol();
    const { path } = await listen();
    const agent = await client();
    bench.desk.script.instead = () => undefined;
    await bench.host.desk().then((desk) => desk.close());
    const buying = agent.run('buy', { lines: [{ value: '30', count: 1 }] });
    const ended = expect(buying).rejects.toMatchObject({ outcome: 'unknown', code: 'agent-ended' });
    await agent.run('card-info', {});
    await server?.close();
    await ended;
    expect(existsSync(path)).toBe(false);
    await expect(AgentClient.connect(bench.folder)).resolves.toBeUndefined();
  });

  it.each([
    ['is no JSON', 'hello\n'],
    ['is no request', '{"id":"one"}\n'],
    ['does not end', 'x'.repeat(8 * 1024 * 1024 + 1)],
  ])('hangs up on a line that %s', async (_what, text) => {
    const { path } = await listen();
    const socket = connect(path);
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write(text);
    await closed;
    await expect(client()).resolves.toBeInstanceOf(AgentClient);
  });

  it('answers at any length, however many payments the wallet has', async () => {
    await listen();
    const long = 'x'.repeat(9 * 1024 * 1024);
    const keys = [{ ...exampleKey, peer: long }];
    bench.runner.runUnchecked = () => Promise.resolve({ keys });
    const answer = await (await client()).run('keys', {});
    expect(answer.keys[0]?.peer).toHaveLength(long.length);
  });

  it('says what is wrong with a PIN that is longer than any', async () => {
    await bench.enrol();
    await bench.restart();
    await listen();
    const agent = await client();
    await expect(agent.run('keys', {}, { pin: '0'.repeat(100) })).rejects.toMatchObject({
      outcome: 'usage',
      code: 'reference-length',
    });
    const change = agent.run('pin-change', { oldPin: pin, newPin: '0'.repeat(17) });
    await expect(change).rejects.toMatchObject({
      outcome: 'usage',
      code: 'reference-length',
    });
  });

  it('is not asked for a message that is longer than any', async () => {
    await listen();
    const agent = await client();
    const message = 'A'.repeat(9 * 1024 * 1024);
    await expect(agent.run('receive', { message })).rejects.toMatchObject({
      outcome: 'refused',
      code: 'message-too-long',
    });
    await expect(
      agent.run('send', { to: { peer: bob }, plaintext: message }),
    ).rejects.toMatchObject({
      code: 'message-too-long',
    });
    await expect(agent.run('payments', {})).rejects.toMatchObject({ code: 'wallet-not-set-up' });
  });

  it('refuses errands that there are not, and parameters out of bounds', async () => {
    const { path } = await listen();
    const lines = linesFrom(path, [
      { id: 1, errand: 'toString', params: {} },
      { id: 2, errand: 'buy', params: { lines: [{ value: '-1', count: 1 }] } },
    ]);
    await expect(lines).resolves.toMatchObject([
      { keytollAgent: 6, reader: 'pcsc' },
      { id: 1, failure: { outcome: 'usage' } },
      { id: 2, failure: { outcome: 'usage' } },
    ]);
  });
});

describe('a command', () => {
  it('finds no agent where none runs', async () => {
    await expect(AgentClient.connect(bench.folder)).resolves.toBeUndefined();
  });

  it('refuses an agent of another version', async () => {
    const stranger: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('{"keytollAgent":99}\n');
    });
    await new Promise<void>((resolve) => {
      stranger.listen(`${bench.folder}/agent.sock`, resolve);
    });
    await expect(AgentClient.connect(bench.folder)).rejects.toMatchObject({
      code: 'agent-unreachable',
    });
    await new Promise((resolve) => stranger.close(resolve));
  });
});

describe('an agent that is suspended', () => {
  it('is named to a command that waits for its greeting', async () => {
    const silent: Server = createServer((socket) => {
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => {
      silent.listen(`${bench.folder}/agent.sock`, resolve);
    });
    const connecting = AgentClient.connect(bench.folder, bench.clock);
    bench.clock.advance(10_000);
    await expect(connecting).rejects.toMatchObject({
      code: 'agent-unreachable',
      message: expect.stringMatching(/does not answer.*suspended/) as string,
    });
    await new Promise((resolve) => silent.close(resolve));
  });
});

describe('an agent that is killed', () => {
  it.each([
    ['receive', { message: '' }, 'unknown'],
    ['puk-change', { oldPuk: puk, newPuk: '11112222' }, 'unknown'],
    ['keys', {}, 'fault'],
  ] as const)('in the midst of %s', async (name, params, outcome) => {
    const killed: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('{"keytollAgent":6,"reader":"pcsc"}\n');
      socket.once('data', () => socket.destroy());
    });
    await new Promise<void>((resolve) => {
      killed.listen(`${bench.folder}/agent.sock`, resolve);
    });
    const cut = (await client()).run(name, params);
    await expect(cut).rejects.toMatchObject({ outcome, code: 'agent-ended' });
    await new Promise((resolve) => killed.close(resolve));
  });
});

describe('an agent that keeps connected', () => {
  const connected = (): Promise<void> =>
    new Promise((resolve) => {
      const forget = bench.host.watch((event) => {
        if (event.kind !== 'connected') return;
        forget();
        resolve();
      });
    });

  it('comes back after the station was away, and after the card was out', async () => {
    await bench.enrol();
    const kept = keepConnected(bench.host);
    await bench.host.desk();
    const retry = bench.clock.nextAlarm();
    bench.desk.drop();
    await retry;
    const again = connected();
    bench.clock.advance(1_000);
    await again;
    const after = bench.clock.nextAlarm();
    await bench.reinsert();
    await after;
    const oncemore = connected();
    bench.clock.advance(1_000);
    await oncemore;
    kept.stop();
  });
});

/** What the agent says to these lines: its greeting, and one answer each. */
function linesFrom(path: string, requests: readonly object[]): Promise<unknown[]> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      const lines = text.split('\n').slice(0, -1);
      if (lines.length < requests.length + 1) return;
      socket.destroy();
      resolve(lines.map((line): unknown => JSON.parse(line)));
    });
    for (const request of requests) socket.write(`${JSON.stringify(request)}\n`);
  });
}
