/** What both processes of the link's bench open: one end of a link, with keys out of thin air. */
import { createHash } from 'node:crypto';
import { toUtf8 } from '../../applet-spec/bytes.ts';
import { toStationName, type Suite } from '../../applet-spec/names.ts';
import { systemClock } from '../../daemon/clock.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { openLinks, type StationLinks } from '../../daemon/link/station-links.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import type { KeyLedger } from '../../daemon/qkd/key-ledger.ts';
import type { KeySource, QkdKey } from '../../daemon/qkd/key-source.ts';
import { Reservoir } from '../../daemon/qkd/reservoir.ts';
import { webSockets } from '../../daemon/web-socket.ts';

const seed = 'keytoll bench';
const keyBits = 256;

/**
 * Both devices know every key: its ID counts, and its bits are the ID. They cost next to nothing,
 * for a device's own cost is not the link's.
 */
class DerivedSource implements KeySource {
  readonly #station: string;
  #drawn = 0;

  constructor(station: string) {
    this.#station = digest(station).toString('hex', 0, 4);
  }

  async status() {
    return {
      ...{ keySizeBits: keyBits, minKeySizeBits: keyBits, maxKeySizeBits: keyBits },
      ...{ maxKeysPerRequest: 1_024, storedKeys: undefined, maxStoredKeys: undefined },
      ...{ maxAdditionalSlaves: 0, sourceKmeId: undefined, targetKmeId: undefined },
      ...{ masterSaeId: undefined, slaveSaeId: undefined },
    };
  }

  async draw(count: number): Promise<readonly QkdKey[]> {
    return Array.from({ length: Math.min(count, 1_024) }, () => {
      const number = (this.#drawn++).toString(16).padStart(12, '0');
      return keyOf(`${this.#station}-0000-4000-8000-${number}`);
    });
  }

  async fetch(ids: readonly string[]): Promise<readonly QkdKey[]> {
    return ids.map(keyOf);
  }

  async close(): Promise<void> {}
}

function keyOf(id: string): QkdKey {
  const bits = new Uint8Array(keyBits / 8);
  for (let i = 0; i < bits.length; i++) bits[i] = id.charCodeAt(i + 4);
  return { id, bits };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(`${seed} ${text}`).digest();
}

export interface BenchEnd {
  readonly links: StationLinks;
  readonly reservoir: Reservoir;
  close(): Promise<void>;
}

/** The ledger is in memory: `store-bench` measures the one on disk. */
export async function openBenchEnd(
  station: string,
  neighbour: string,
  suite: Suite,
  url?: string,
): Promise<BenchEnd> {
  const used = new Set<string>();
  const ledger: KeyLedger = {
    recordUse: async (uses) =>
      uses.map(({ keyId }) => {
        const before = used.size;
        return used.add(keyId).size > before ? 'recorded' : 'already-used';
      }),
  };
  const clock = systemClock;
  const peer = toStationName(neighbour);
  const reservoir = new Reservoir({
    ...{ peer, clock, ledger, source: new DerivedSource(station), capacityBits: 1 << 20 },
  });
  reservoir.start();
  const documentKey = opensslPrimitives.signingKey(Uint8Array.from(digest(station)));
  const links = await openLinks({
    ...{ station: toStationName(station), network: 'bench', documentKey, clock },
    ...{ primitives: opensslPrimitives, entropy: systemEntropy, sockets: webSockets(clock) },
    documentCertificate: toUtf8(station),
    trust: {
      check: (_der, _role, name) => ({
        ok: true,
        publicKey: opensslPrimitives.signingKey(Uint8Array.from(digest(name))),
      }),
    },
    listen: { host: '127.0.0.1', port: 0 },
    log: { link: () => undefined },
    neighbours: [
      {
        ...{ name: peer, reservoir, suite, authenticationKey: Uint8Array.from(digest('link')) },
        ...(url !== undefined && { url }),
        ...{ rekeyRecords: 100_000, rekeyBytes: 1 << 30, rekeySeconds: 120 },
      },
    ],
  });
  return {
    links,
    reservoir,
    async close() {
      await links.close();
      await reservoir.close();
    },
  };
}
