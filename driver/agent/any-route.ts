/**
 * Paying over whichever route serves: where a station refuses before the card has signed, no coin
 * was used, and a new quote leads over another route if there is one. Stations leave out by
 * themselves what has just failed; a quote over the same stations again means that there is no
 * other way.
 */
import { ErrandError } from './errand-error.ts';
import type { ErrandName, ErrandParams, ErrandResult } from './errands.ts';

type Quoted = ErrandResult<'quote'>;

/** As `ErrandRunner.run`. */
export type RunErrand = <N extends ErrandName>(
  name: N,
  params: ErrandParams<N>,
) => Promise<ErrandResult<N>>;

/** Whoever pays. */
export interface Payer {
  readonly agrees: (quote: Quoted) => Promise<boolean>;
  /** The quote was refused, no coin was used, and another one is asked for. */
  readonly hears: (quote: Quoted, refusal: ErrandError) => void;
}

export type PaidOnARoute =
  | { readonly outcome: 'paid'; readonly payment: ErrandResult<'pay'> }
  | { readonly outcome: 'declined'; readonly quote: Quoted };

const quotesMost = 4;
/** What a station says of a route before it asks the card. */
const ofTheRoute: ReadonlySet<string> = new Set(['no-keys', 'no-route']);

/** Rejects with the last ErrandError where no route serves, or for any other reason. */
export async function payOnAnyRoute(
  run: RunErrand,
  wish: ErrandParams<'quote'>,
  how: Omit<ErrandParams<'pay'>, 'quoteId'>,
  payer: Payer,
): Promise<PaidOnARoute> {
  let refused: { readonly route: string; readonly error: ErrandError } | undefined;
  for (let quotes = 1; ; quotes++) {
    const quote = await run('quote', wish);
    const route = quote.bill.map(({ station }) => station).join(' ');
    if (refused?.route === route) throw refused.error;
    if (!(await payer.agrees(quote))) return { outcome: 'declined', quote };
    try {
      const payment = await run('pay', { ...how, quoteId: quote.quoteId });
      return { outcome: 'paid', payment };
    } catch (error) {
      if (!isOfTheRoute(error) || quotes === quotesMost) throw error;
      refused = { route, error };
      payer.hears(quote, error);
    }
  }
}

function isOfTheRoute(error: unknown): error is ErrandError {
  return error instanceof ErrandError && error.outcome === 'refused' && ofTheRoute.has(error.code);
}
