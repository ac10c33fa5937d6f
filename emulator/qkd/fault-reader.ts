import { z } from 'zod';
import { calls } from './fault.ts';
import type { ScriptedFault } from './fault.ts';

const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('outage') }),
  z.strictObject({ kind: z.literal('high-error-rate'), errorRate: z.number().min(0).max(0.5) }),
  z.strictObject({ kind: z.literal('slow'), delayMs: z.number().min(0) }),
  z.strictObject({ kind: z.literal('wrong-length'), extraBytes: z.int() }),
  z.strictObject({ kind: z.literal('lost-answer') }),
  z.strictObject({ kind: z.literal('mismatched-key') }),
  z.strictObject({ kind: z.literal('keys-stay') }),
  z.strictObject({ kind: z.literal('repeated-keys') }),
  z.strictObject({ kind: z.literal('discards-unfetched') }),
  z.strictObject({ kind: z.literal('restart') }),
  z.strictObject({ kind: z.literal('ids-by-case'), letterCase: z.enum(['upper', 'lower']) }),
  z.strictObject({ kind: z.literal('fewer-keys') }),
  z.strictObject({ kind: z.literal('more-keys') }),
  z.strictObject({ kind: z.literal('duplicate-keys') }),
  z.strictObject({ kind: z.literal('foreign-keys') }),
  z.strictObject({ kind: z.literal('deadlock') }),
  z.strictObject({
    kind: z.literal('answer'),
    status: z.int().min(200).max(599),
    body: z.string(),
    contentType: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('members'), members: z.record(z.string(), z.unknown()) }),
]);

const scripted = z.strictObject({
  fault,
  kme: z.string().optional(),
  call: z.enum(calls).optional(),
  times: z.int().min(1).optional(),
  afterMs: z.number().min(0).optional(),
  forMs: z.number().min(0).optional(),
});

/** A list of faults, or one, in JSON. @throws RangeError that names what is wrong. */
export function readFaults(text: string): readonly ScriptedFault[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RangeError('the faults are not JSON', { cause });
  }
  const result = z.array(scripted).safeParse(Array.isArray(value) ? value : [value]);
  if (!result.success) throw new RangeError(z.prettifyError(result.error));
  return result.data.map(withoutUndefined);
}

type Parsed = z.infer<typeof scripted>;

/** Leaves out what was not given, as exact optional members demand. */
function withoutUndefined({
  fault: kind,
  kme,
  call,
  times,
  afterMs,
  forMs,
}: Parsed): ScriptedFault {
  const { ...rest } = kind;
  return {
    fault:
      rest.kind === 'answer'
        ? {
            kind: 'answer',
            status: rest.status,
            body: rest.body,
            ...(rest.contentType === undefined ? {} : { contentType: rest.contentType }),
          }
        : rest,
    ...(kme === undefined ? {} : { kme }),
    ...(call === undefined ? {} : { call }),
    ...(times === undefined ? {} : { times }),
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(forMs === undefined ? {} : { forMs }),
  };
}
