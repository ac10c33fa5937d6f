/**
 * Settlement inside a station: its words go over the network's questions, its verdicts to the toll.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { Links } from '../link/links.ts';
import type { Directory } from '../network/directory.ts';
import type { Questions } from '../network/questions.ts';
import { findRoute } from '../network/routes.ts';
import type { TollRoad } from '../relay/toll-road.ts';
import { Settlement } from '../settlement/settlement.ts';
import type { SettlementContext } from '../settlement/settlement-context.ts';
import type { Store } from '../store/store.ts';
import type { StationConfig } from './config.ts';
import type { Identity } from './identity.ts';
import { settlementLog } from './log.ts';
import type { PartSeams } from './station.ts';

export function settlementOf(
  config: StationConfig,
  seams: PartSeams,
  given: {
    readonly identity: Identity;
    readonly store: Store;
    readonly links: Links;
    readonly directory: Directory;
    readonly standing: SettlementContext['standing'];
  },
  later: { readonly questions: () => Questions; readonly tollRoad: () => TollRoad },
): Settlement {
  const { identity, store, links, directory, standing } = given;
  const { clock, entropy, primitives, log } = seams;
  return new Settlement({
    station: config.name,
    network: config.network,
    currency: config.currency,
    terms: {
      everySeconds: config.settlement['every-seconds'],
      pay: config.settlement.pay,
    },
    primitives,
    clock,
    entropy,
    documentKey: identity.documentKey,
    store,
    standing,
    routeTo: (peer) => routeTo(config.name, peer, { links, directory }, clock.nowMs()),
    documentKeyOf: (peer) => directory.entry(peer)?.documentKey,
    ask: (route, question, timeoutMs) => later.questions().ask(route, question, timeoutMs),
    ownKeys: identity.documentKeys,
    takeReceipt: (receipt) => later.tollRoad().takeReceipt(receipt),
    log: settlementLog(log),
  });
}

/**
 * The cheapest route, or the fibre itself where its keys are too few for a payment but not for
 * words.
 */
function routeTo(
  from: StationName,
  to: StationName,
  { links, directory }: { readonly links: Links; readonly directory: Directory },
  nowMs: number,
): readonly StationName[] | undefined {
  if (links.status(to)?.state === 'up') return [from, to];
  const found = findRoute(directory.entries, {
    from,
    to,
    minimumSuite: 'aes',
    avoid: new Set(),
    nowSeconds: BigInt(Math.floor(nowMs / 1000)),
  });
  return found.outcome === 'found' ? found.route.stations.map(({ station }) => station) : undefined;
}
