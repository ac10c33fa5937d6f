import { fixedMessages } from './etsi-014-refusal.ts';
import type { TransportAnswer } from './etsi-014-transport.ts';
import type { Check, Finding } from './probe-check.ts';
import { expectRefusal, keysIn, said } from './probe-device.ts';
import type { ProbeDevice, RawKey } from './probe-device.ts';

const clause = '5, Get key with key IDs';
const twoEnds: Finding = { skipped: 'needs the key manager at the other end too' };

/** What the receiving side can be tried for; most of it needs both ends. */
export const fetchingChecks: readonly Check[] = [
  {
    id: 'dec_keys.not-found',
    clause: '6.5',
    run: async (device) => {
      const answer = await device.decKeysAtMaster(idsOf([device.unknownKeyId()]));
      return expectRefusal(answer, fixedMessages.keysNotFound);
    },
  },
  {
    id: 'dec_keys.unnamed-caller',
    clause,
    run: async (device) => {
      const [key] = await draw(device, 1);
      if (key === undefined) return noKeys;
      // The master asks for its own key, for which it was not named as a slave.
      const answer = await device.decKeysAtMaster(idsOf([key.key_ID]), device.masterSaeId);
      if (answer.status === 200) return { deviates: 'the master is given its own key again' };
      return { conforms: `answers ${said(answer)}` };
    },
  },
  {
    id: 'dec_keys.post',
    clause,
    run: withKeys(1, async (device, keys) => sameKeys(await device.decKeys(ids(keys)), keys)),
  },
  {
    id: 'dec_keys.get',
    clause,
    run: withKeys(1, async (device, keys) => {
      const query = `?key_ID=${encodeURIComponent(String(keys[0]?.key_ID))}`;
      return sameKeys(await device.decKeys(undefined, query), keys);
    }),
  },
  {
    id: 'dec_keys.several',
    clause,
    run: withKeys(3, async (device, keys) => sameKeys(await device.decKeys(ids(keys)), keys)),
  },
  {
    id: 'dec_keys.all-or-nothing',
    clause,
    run: withKeys(1, async (device, keys) => {
      if (device.limits.maxKeysPerRequest < 2)
        return { skipped: 'one key a request is all it gives' };
      const mixed = idsOf([keys[0]?.key_ID, device.unknownKeyId()]);
      const refusal = expectRefusal(await device.decKeys(mixed), fixedMessages.keysNotFound);
      if (refusal !== undefined) return refusal;
      const again = sameKeys(await device.decKeys(ids(keys)), keys);
      return again === undefined ? undefined : { deviates: 'a refused request consumes its keys' };
    }),
  },
  {
    id: 'dec_keys.once',
    clause,
    run: withKeys(1, async (device, keys) => {
      await device.decKeys(ids(keys));
      const again = await device.decKeys(ids(keys));
      if (again.status === 200) return { deviates: 'a key stays fetchable after it was fetched' };
      return expectRefusal(again, fixedMessages.keysNotFound);
    }),
  },
  {
    id: 'dec_keys.after-second-draw',
    clause,
    run: withKeys(1, async (device, keys) => {
      await draw(device, 1);
      const answer = await device.decKeys(ids(keys));
      if (answer.status === 200) return sameKeys(answer, keys);
      return { deviates: 'a second enc_keys discards keys that were not fetched' };
    }),
  },
];

const noKeys: Finding = { skipped: 'it gave no key to try with' };

/** Draws up to `number` keys for a check that needs both ends. */
function withKeys(
  number: number,
  run: (device: ProbeDevice, keys: readonly RawKey[]) => Promise<Finding>,
): Check['run'] {
  return async (device) => {
    if (!device.hasSlave) return twoEnds;
    const keys = await draw(device, Math.min(number, device.limits.maxKeysPerRequest));
    return keys.length === 0 ? noKeys : run(device, keys);
  };
}

async function draw(device: ProbeDevice, number: number): Promise<readonly RawKey[]> {
  const answer = await device.encKeys({ number });
  return answer.status === 200 ? keysIn(answer) : [];
}

function ids(keys: readonly RawKey[]): object {
  return idsOf(keys.map(({ key_ID }) => key_ID));
}

function idsOf(keyIds: readonly unknown[]): object {
  return { key_IDs: keyIds.map((key_ID) => ({ key_ID })) };
}

function sameKeys(answer: TransportAnswer, keys: readonly RawKey[]): Finding {
  if (answer.status !== 200) return { deviates: `answers ${said(answer)} instead of 200` };
  const got = new Map(keysIn(answer).map(({ key_ID, key }) => [key_ID, key]));
  if (got.size !== keys.length || keys.some(({ key_ID }) => !got.has(key_ID))) {
    return { deviates: 'gives other key IDs than were asked for' };
  }
  return keys.every(({ key_ID, key }) => got.get(key_ID) === key)
    ? undefined
    : { deviates: 'gives other bits than the other end got' };
}
