import { z } from 'zod';

const spentKeys = z.object({
  purpose: z.enum(['traffic', 'pad', 'mac']),
  keyIds: z.array(z.string()).readonly(),
  bits: z.string(),
});
const line = z.discriminatedUnion('what', [
  z.object({
    what: z.enum(['taken', 'claimed']),
    keys: z.array(spentKeys),
    lostBits: z.string(),
  }),
  z.object({ what: z.literal('refused'), code: z.string() }),
]);

/** Raw bits that came out of a reservoir, in hexadecimal, and the keys that they are made of. */
export type SpentKeys = z.infer<typeof spentKeys>;
/** What `spending-child.ts` says. */
export type SpendingLine = z.infer<typeof line>;

export function readSpendingLine(text: string): SpendingLine {
  return line.parse(JSON.parse(text));
}

/** What the peer is told of the keys: all but their bits. */
export function readClaims(text: string) {
  return z
    .array(spentKeys.omit({ bits: true }))
    .parse(JSON.parse(text))
    .map((claim) => ({ ...claim, bits: 256 }));
}
