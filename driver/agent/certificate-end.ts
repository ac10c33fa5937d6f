/**
 * The user's own certificate is good for about a year. The station gives the card another one
 * when it comes to the desk in the last 30 days (`desk.md`); where that does not come about, the
 * user is told in time.
 */
import type { AccountReply } from '../../applet-spec/desk-messages.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import type { Host } from './host.ts';
import { nowSeconds } from './order-errands.ts';

const daySeconds = 86_400n;
export const warnedWithinDays = 30;

export interface CertificateEnd {
  /** ISO 8601. */
  readonly ends: string;
  /** Whole days; below 0 once it has ended. */
  readonly daysLeft: number;
}

/** undefined where the station does not say. */
export function certificateEnd(
  host: Host,
  { certificateEnd: end }: AccountReply,
): CertificateEnd | undefined {
  if (end === undefined) return undefined;
  const left = end - nowSeconds(host);
  const daysLeft = left < 0n ? -1 : Number(left / daySeconds);
  return { ends: isoTime(end), daysLeft };
}

/** To whoever watches the host. */
export function tellOfCertificate(host: Host, account: AccountReply): void {
  const certificate = certificateEnd(host, account);
  if (certificate === undefined || certificate.daysLeft >= warnedWithinDays) return;
  host.tell({ kind: 'certificate-ends', certificate });
}

/**
 * Once a day, as long as a connection stands: near the end it begins anew, as the station looks
 * after a certificate when its card comes.
 */
export function keepCertificate(host: Host): { stop(): void } {
  let cancel: () => void = () => undefined;
  const wait = (): void => {
    cancel = host.clock.after(Number(daySeconds) * 1_000, () => {
      wait();
      // Without a connection there is none to begin anew.
      comeBackNearEnd(host).catch(() => undefined);
    });
  };
  const forget = host.watch(({ kind }) => {
    if (kind !== 'connected' && kind !== 'disconnected') return;
    cancel();
    if (kind === 'connected') wait();
  });
  return {
    stop: () => {
      forget();
      cancel();
    },
  };
}

/** In turn, so that no order and no payment is cut off. */
async function comeBackNearEnd(host: Host): Promise<void> {
  await host.inTurn(async () => {
    const desk = await host.desk();
    const certificate = certificateEnd(host, await desk.account());
    if (certificate === undefined || certificate.daysLeft >= warnedWithinDays) return;
    desk.close();
    await desk.closed;
  });
}
