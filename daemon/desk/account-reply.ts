import type { DeskMessage } from '../../applet-spec/desk-messages.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { certificateEnd } from './certificate-renewal.ts';
import type { DeskContext } from './desk-context.ts';

/** What the user has here; `certificate` is the one in force. */
export async function accountReply(
  context: Pick<DeskContext, 'store' | 'station' | 'network' | 'currency'>,
  user: UserName,
  requestId: bigint,
  certificate: Uint8Array | undefined,
): Promise<DeskMessage> {
  const { store, station, network, currency } = context;
  const record = await store.user(user);
  const outstanding = await store.outstanding(user);
  return {
    kind: 'account',
    content: {
      requestId,
      user,
      station,
      network,
      currency,
      balance: record?.balance ?? 0n,
      coinsOutstanding: BigInt(outstanding.coins),
      valueOutstanding: outstanding.value,
      ...(certificate && { certificateEnd: certificateEnd(certificate) }),
    },
  };
}
