import { z } from 'zod';
import type { CardFault } from './scripted-faults.ts';

const apdu = z.int().min(1);
const moment = z.enum(['before', 'after']).default('before');

const faults = z.array(
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('mute'), apdu, moment }),
    z.strictObject({ kind: z.literal('slow'), apdu, ms: z.int().min(0) }),
    z.strictObject({ kind: z.literal('remove'), apdu, moment }),
    z.strictObject({
      kind: z.literal('power-cut'),
      apdu,
      write: z.int().min(1).default(1),
      moment,
    }),
    z.strictObject({
      kind: z.literal('status'),
      apdu,
      moment,
      sw: z
        .string()
        .regex(/^[0-9A-Fa-f]{4}$/, 'four hexadecimal digits, such as "6F00"')
        .transform((digits) => Number.parseInt(digits, 16)),
    }),
  ]),
);

/**
 * A JSON list of faults; status words as four hexadecimal digits. Throws RangeError that says
 * where.
 */
export function readCardFaults(text: string): readonly CardFault[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new RangeError('the faults are not JSON', { cause: error });
  }
  const parsed = faults.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new RangeError(`the faults are wrong: ${z.prettifyError(parsed.error)}`);
}
