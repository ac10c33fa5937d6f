import { fixedMessages } from './etsi-014-refusal.ts';
import type { TransportAnswer } from './etsi-014-transport.ts';
import { normalKeyId } from './key-source.ts';
import type { Check, Finding } from './probe-check.ts';
import { expectRefusal, keysIn, membersOf, said, sizeOf } from './probe-device.ts';
import type { ProbeDevice } from './probe-device.ts';

const getStatus = '5, Get status';
const getKey = '5, Get key';

const statusMembers = {
  source_KME_ID: 'string',
  target_KME_ID: 'string',
  master_SAE_ID: 'string',
  slave_SAE_ID: 'string',
  key_size: 'number',
  stored_key_count: 'number',
  max_key_count: 'number',
  max_key_per_request: 'number',
  max_key_size: 'number',
  min_key_size: 'number',
  max_SAE_ID_count: 'number',
} as const;

/** What one key manager alone can be tried for. */
export const drawingChecks: readonly Check[] = [
  {
    id: 'status.answer',
    clause: getStatus,
    run: async ({ statusAnswer }) => isObject(statusAnswer),
  },
  {
    id: 'status.members',
    clause: '6.1',
    run: async ({ statusAnswer }) => {
      const members = membersOf(statusAnswer) ?? {};
      const wrong = Object.entries(statusMembers)
        .filter(([name, type]) => typeof members[name] !== type)
        .map(([name, type]) => `${name} is no ${type}`);
      return wrong.length === 0 ? undefined : { deviates: wrong.join(', ') };
    },
  },
  { id: 'status.ids', clause: '6.1', run: async (device) => checkIds(device) },
  { id: 'status.counts', clause: '6.1', run: async (device) => checkCounts(device) },
  {
    id: 'enc_keys.post',
    clause: getKey,
    run: async (device) => oneKey(device, await device.encKeys({ number: 1 })),
  },
  {
    id: 'enc_keys.post-defaults',
    clause: '6.2',
    run: async (device) => oneKey(device, await device.encKeys({})),
  },
  {
    id: 'enc_keys.get',
    clause: getKey,
    run: async (device) => oneKey(device, await device.encKeys(undefined)),
  },
  {
    id: 'enc_keys.get-number-size',
    clause: getKey,
    run: async (device) => {
      const query = `?number=1&size=${String(device.limits.keySizeBits)}`;
      return oneKey(device, await device.encKeys(undefined, query));
    },
  },
  { id: 'enc_keys.number', clause: '6.2', run: checkNumber },
  { id: 'enc_keys.size', clause: '6.2', run: checkSize },
  { id: 'enc_keys.size-multiple-of-8', clause: '6.5', run: checkOddSize },
  {
    id: 'enc_keys.number-zero',
    clause: '6.2',
    run: async (device) => expectRefusal(await device.encKeys({ number: 0 })),
  },
  {
    id: 'enc_keys.number-above-limit',
    clause: '6.2',
    run: async (device) => {
      const number = device.limits.maxKeysPerRequest + 1;
      return expectRefusal(await device.encKeys({ number }));
    },
  },
  {
    id: 'enc_keys.extension-mandatory',
    clause: '6.5',
    run: async (device) => {
      const extension_mandatory = [{ keytoll_probe: 'unsupported' }];
      const answer = await device.encKeys({ extension_mandatory });
      return expectRefusal(answer, fixedMessages.mandatoryUnsupported);
    },
  },
  {
    id: 'enc_keys.extension-optional',
    clause: '6.5',
    run: async (device) => {
      const extension_optional = [{ keytoll_probe: 'unsupported' }];
      const answer = await device.encKeys({ extension_optional });
      if (answer.status === 200) return { conforms: 'is ignored' };
      return expectRefusal(answer, fixedMessages.optionalUnhandled) ?? { conforms: 'is refused' };
    },
  },
  {
    id: 'enc_keys.unknown-slave',
    clause: getKey,
    run: async (device) => {
      const answer = await device.encKeys({}, '', 'keytoll-probe-unknown-sae');
      return [400, 401].includes(answer.status)
        ? { conforms: `answers ${said(answer)}` }
        : { deviates: `answers ${said(answer)} instead of 400 or 401` };
    },
  },
  {
    id: 'enc_keys.malformed',
    clause: '6.5',
    run: async (device) => expectRefusal(await device.encKeys('{"number":')),
  },
  { id: 'keys.distinct', clause: '6.3', run: async (device) => checkDistinct(device) },
];

function isObject(answer: TransportAnswer): Finding {
  if (answer.status !== 200) return { deviates: `answers ${said(answer)} instead of 200` };
  return membersOf(answer) === undefined ? { deviates: 'is no JSON object' } : undefined;
}

function checkIds(device: ProbeDevice): Finding {
  const { statusAnswer, masterSaeId, peerSaeId } = device;
  const members = membersOf(statusAnswer) ?? {};
  const wrong = [
    ...(members['master_SAE_ID'] === masterSaeId ? [] : [`master_SAE_ID is not ${masterSaeId}`]),
    ...(members['slave_SAE_ID'] === peerSaeId ? [] : [`slave_SAE_ID is not ${peerSaeId}`]),
  ];
  return wrong.length === 0 ? undefined : { deviates: wrong.join(', ') };
}

function checkCounts({ statusAnswer, limits }: ProbeDevice): Finding {
  const members = membersOf(statusAnswer) ?? {};
  const of = (name: string): number => Number(members[name]);
  const wrong = [
    ...(of('stored_key_count') <= of('max_key_count') ? [] : ['more stored than can be']),
    ...(of('min_key_size') <= of('key_size') ? [] : ['key_size is below min_key_size']),
    ...(of('key_size') <= of('max_key_size') ? [] : ['key_size is above max_key_size']),
    ...(of('max_key_per_request') >= 1 ? [] : ['max_key_per_request is below 1']),
    ...(of('max_SAE_ID_count') >= 0 ? [] : ['max_SAE_ID_count is no count']),
  ];
  if (wrong.length > 0) return { deviates: wrong.join(', ') };
  const { keySizeBits, minKeySizeBits, maxKeySizeBits, maxKeysPerRequest } = limits;
  return {
    conforms:
      `keys of ${String(minKeySizeBits)} to ${String(maxKeySizeBits)} bits, ` +
      `${String(keySizeBits)} by default, ${String(maxKeysPerRequest)} a request`,
  };
}

async function checkNumber(device: ProbeDevice): Promise<Finding> {
  const number = Math.min(3, device.limits.maxKeysPerRequest);
  if (number === 1) return { skipped: 'one key a request is all it gives' };
  return container(await device.encKeys({ number }), number, device.limits.keySizeBits);
}

async function checkSize(device: ProbeDevice): Promise<Finding> {
  const { keySizeBits, minKeySizeBits, maxKeySizeBits } = device.limits;
  const size = [minKeySizeBits, maxKeySizeBits].find(
    (bits) => bits !== keySizeBits && bits % 8 === 0,
  );
  if (size === undefined)
    return { skipped: `keys of ${String(keySizeBits)} bits are all it gives` };
  return container(await device.encKeys({ size }), 1, size);
}

async function checkOddSize(device: ProbeDevice): Promise<Finding> {
  const { minKeySizeBits, maxKeySizeBits } = device.limits;
  const size = 8 * Math.floor(minKeySizeBits / 8) + 9;
  if (size > maxKeySizeBits) return { skipped: 'no such size is within its limits' };
  const answer = await device.encKeys({ size });
  if (answer.status === 200) return { conforms: 'is accepted' };
  return expectRefusal(answer, fixedMessages.sizeNotMultipleOf8);
}

function oneKey(device: ProbeDevice, answer: TransportAnswer): Finding {
  return container(answer, 1, device.limits.keySizeBits);
}

/** A key container of exactly so many keys of that size. */
export function container(answer: TransportAnswer, number: number, sizeBits: number): Finding {
  if (answer.status !== 200) return { deviates: `answers ${said(answer)} instead of 200` };
  const keys = keysIn(answer);
  if (keys.length !== number) {
    return { deviates: `gives ${String(keys.length)} keys for ${String(number)}` };
  }
  for (const { key_ID, key } of keys) {
    if (typeof key_ID !== 'string' || normalKeyId(key_ID) === undefined) {
      return { deviates: 'gives a key_ID that is no UUID' };
    }
    const bits = sizeOf(key);
    if (bits === undefined) return { deviates: 'gives a key that is no base64' };
    if (bits !== sizeBits) {
      return { deviates: `gives a key of ${String(bits)} bits for ${String(sizeBits)}` };
    }
  }
  return undefined;
}

function checkDistinct({ drawn }: ProbeDevice): Finding {
  if (drawn.length < 2) return { skipped: 'it gave too few keys to compare' };
  if (new Set(drawn.map(({ key_ID }) => key_ID)).size < drawn.length) {
    return { deviates: 'a key_ID was given twice' };
  }
  if (new Set(drawn.map(({ key }) => key)).size < drawn.length) {
    return { deviates: 'one key was given under two key IDs' };
  }
  return { conforms: `${String(drawn.length)} keys, all different` };
}
