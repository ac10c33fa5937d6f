import type { Host } from './host.ts';
import { HostError } from './host-error.ts';
import { toErrandError } from './errand-error.ts';
import {
  errands,
  errandSchemas,
  type ErrandName,
  type ErrandParams,
  type ErrandProgress,
  type ErrandResult,
  type ErrandRunner,
} from './errands.ts';
import { balance } from './balance-errand.ts';
import {
  cardInfo,
  changePin,
  changePuk,
  connect,
  initialiseCard,
  unblockPin,
} from './card-errands.ts';
import { eraseKey, keys, receive, send } from './key-errands.ts';
import { buy, exchange, refund } from './order-errands.ts';
import { pay, payments, quote, showQuote } from './payment-errands.ts';
import { renew, renewUnasked } from './renewal.ts';
import { checkSignatures } from './signature-errand.ts';

type Errand<N extends ErrandName> = (
  host: Host,
  params: ErrandParams<N>,
  onProgress: (progress: ErrandProgress) => void,
) => ErrandResult<N> | Promise<ErrandResult<N>>;

type Carry = { readonly [N in ErrandName]: Errand<N> };

const carry: Carry = {
  'card-info': cardInfo,
  'card-init': initialiseCard,
  'pin-change': changePin,
  'pin-unblock': unblockPin,
  'puk-change': changePuk,
  connect: renewedBefore(connect),
  balance: renewedBefore(balance),
  buy: renewedAfter(buy),
  exchange,
  refund,
  renew,
  quote,
  'show-quote': showQuote,
  pay: renewedAfter(pay),
  payments,
  keys,
  'erase-key': eraseKey,
  'check-signatures': checkSignatures,
  send,
  receive,
};

/** Coins near their end are looked after where no agent does it, by commands that use them. */
function renewedBefore<N extends ErrandName>(errand: Errand<N>): Errand<N> {
  return async (host, params, onProgress) => {
    await renewUnasked(host);
    return errand(host, params, onProgress);
  };
}

/** Only then: a quote does not wait, and what has been paid is told whatever comes of this. */
function renewedAfter<N extends ErrandName>(errand: Errand<N>): Errand<N> {
  return async (host, params, onProgress) => {
    const result = await errand(host, params, onProgress);
    await renewUnasked(host).catch(() => undefined);
    return result;
  };
}

/** Runs errands on a host of this process. The host stays its owner's. */
export class HostRunner implements ErrandRunner {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  async run<N extends ErrandName>(
    name: N,
    params: ErrandParams<N>,
    options: {
      readonly pin?: string;
      readonly onProgress?: (progress: ErrandProgress) => void;
    } = {},
  ): Promise<ErrandResult<N>> {
    const { pin, onProgress = () => undefined } = options;
    const work = () => carry[name](this.#host, params, onProgress);
    try {
      return await (pin === undefined ? work() : this.#host.withPin(pin, work));
    } catch (error) {
      throw toErrandError(error);
    }
  }

  /** From a message whose parts nobody has checked. */
  async runUnchecked(
    name: string,
    params: unknown,
    options: {
      readonly pin?: string;
      readonly onProgress: (progress: ErrandProgress) => void;
    },
  ): Promise<unknown> {
    if (!isErrandName(name)) throw toErrandError(new HostError('bad-params', `no errand ${name}`));
    return this.#runParsed(name, params, options);
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  async #runParsed<N extends ErrandName>(
    name: N,
    params: unknown,
    options: { readonly pin?: string; readonly onProgress: (progress: ErrandProgress) => void },
  ): Promise<ErrandResult<N>> {
    const read = errandSchemas[name].params.safeParse(params);
    if (read.success) return this.run(name, read.data, options);
    throw toErrandError(new HostError('bad-params', read.error.issues[0]?.message ?? 'bad'));
  }
}

function isErrandName(name: string): name is ErrandName {
  return Object.hasOwn(errands, name);
}
