import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import { ProbeDevice } from '../../../daemon/qkd/probe-device.ts';
import { tlsChecks } from '../../../daemon/qkd/probe-tls.ts';
import { deviceFiles } from '../../../emulator/qkd/device-files.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { startDevices, transportFor } from './device-pair.ts';

it('the probe shows no control characters of whoever answers without a certificate', async () => {
  const devices = await startDevices();
  const { dir } = devices;
  const [cert, key] = await Promise.all(
    [deviceFiles.certificate('kme-q1'), deviceFiles.privateKey('kme-q1')].map((name) =>
      readFile(join(dir, name)),
    ),
  );
  const server = createServer({ cert, key }, (socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 200 \u001b[2J\u0007OK\r\n\r\n');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const master = { saeId: 'q1', transport: transportFor(dir, 'q1', url) };
  const entropy = seededEntropy('probe');
  const device = new ProbeDevice({ master, peerSaeId: 'q2', clock: systemClock, entropy });
  const [check] = tlsChecks(systemClock);
  expect(await check?.run(device)).toEqual({
    deviates: 'answers "HTTP/1.1 200  [2J OK" without a client certificate',
  });
  server.close();
  await devices.close();
});
