/**
 * A station's key supply that works until it is killed: `spending-child.js FOLDER SAE PEER URL`.
 * Each line on standard input is a list of claims to be fetched; each line on standard output,
 * written at once, is what came out of the reservoir: `taken` here, or `claimed` for the peer.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { toHex } from '../../../applet-spec/bytes.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { DeviceCredentials } from '../../../daemon/qkd/device-credentials.ts';
import { Etsi014Client } from '../../../daemon/qkd/etsi-014-client.ts';
import { Etsi014Transport } from '../../../daemon/qkd/etsi-014-transport.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { Reservoir, type TakenBits } from '../../../daemon/qkd/reservoir.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { sayLine } from '../../say-line.ts';
import { readClaims, type SpendingLine } from './spending-lines.ts';

const [folder, sae, peer, url] = process.argv.slice(2);
if (folder === undefined || sae === undefined || peer === undefined || url === undefined) {
  throw new Error('usage: spending-child.js FOLDER SAE PEER URL');
}

const clock = systemClock;
const store = await openSqliteStore({
  ...sqliteOptions(join(folder, `${sae}.sqlite`)),
  checkpoints: 'worker',
});
const credentials = new DeviceCredentials(
  {
    caFile: join(folder, 'ca.crt.pem'),
    certificateFile: join(folder, `sae-${sae}.crt.pem`),
    privateKeyFile: join(folder, `sae-${sae}.key.pem`),
  },
  { clock },
);
const reservoir = new Reservoir({
  ...{ peer, clock, ledger: store, capacityBits: 8_192 },
  source: new Etsi014Client({
    ...{ clock, peerSaeId: peer, notFoundRetries: { times: 1, firstPauseMs: 1 } },
    transport: new Etsi014Transport({ url, clock, credentials }),
  }),
});

function say(line: SpendingLine): void {
  sayLine(JSON.stringify(line));
}

function told(bits: readonly TakenBits[]) {
  return bits.map(({ purpose, keyIds, bits: raw }) => ({ purpose, keyIds, bits: toHex(raw) }));
}

async function spend(): Promise<never> {
  for (;;) {
    const taken = await reservoir.take([
      { purpose: 'pad', bits: 256 },
      { purpose: 'mac', bits: 256 },
    ]);
    say({ what: 'taken', keys: told(taken), lostBits: String(reservoir.balance().lost) });
  }
}

async function claim(line: string): Promise<void> {
  const claims = readClaims(line);
  try {
    const claimed = await reservoir.claim(claims);
    say({ what: 'claimed', keys: told(claimed), lostBits: String(reservoir.balance().lost) });
  } catch (error) {
    if (!(error instanceof QkdError)) throw error;
    say({ what: 'refused', code: error.code });
  }
}

if (sae === 'q1') {
  // Several at once, as payments come.
  await Promise.all([spend(), spend(), spend()]);
} else {
  for await (const line of createInterface({ input: process.stdin })) await claim(line);
}
