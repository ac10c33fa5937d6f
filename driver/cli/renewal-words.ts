import { counted } from '../../applet-spec/counted.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import type { HostEvent } from '../agent/host.ts';
import { withAdvice } from './advice.ts';

/** What a person is told of an exchange that nobody asked for. */
export function renewalWords(event: HostEvent): string | undefined {
  if (event.kind === 'coins-renewed') {
    const worth = formatMoney(event.value.toString(), event.currency);
    return `${counted(event.coins, 'coin')} worth ${worth} near their end: exchanged for new ones.`;
  }
  if (event.kind !== 'renewal-failed') return undefined;
  const { code, message, failure } = event.failure;
  const why = withAdvice(code, message, failure.outcome);
  return `keytoll: coins near their end have not been exchanged yet: ${why}`;
}
