import { toHex } from '../../applet-spec/bytes.ts';
import type { CardCoinState, CoinEntry } from '../../applet-spec/card-objects.ts';
import { coin, type Coin } from '../../applet-spec/coin.ts';
import type { WalletFile } from './wallet-file.ts';
import { blobOf, decodeStored, wordOf } from './wallet-row.ts';

/**
 * `held`: unspent on the card. `signed`: the card has signed a payment with it and it waits for the
 * verdict. `retiring`: on its way back to the issuer. `gone`: no longer on the card.
 */
export type WalletCoinState = 'held' | 'signed' | 'retiring' | 'gone';

export interface WalletCoin {
  readonly coin: Coin;
  readonly state: WalletCoinState;
}

/** What a comparison with the card found. */
export interface PoolMatch {
  /** Coins on the card whose public part the wallet lacks: ask the station for them. */
  readonly unknown: readonly CoinEntry[];
  /** Coins that the wallet believed on the card and that are not there any more. */
  readonly gone: readonly Uint8Array[];
}

const states = ['held', 'signed', 'retiring', 'gone'] as const;
const walletStates = {
  unspent: 'held',
  signed: 'signed',
  retiring: 'retiring',
} as const satisfies Record<CardCoinState, WalletCoinState>;

/** The public parts of the card's coins. The card alone says which it holds. */
export class WalletCoins {
  readonly #file: WalletFile;

  constructor(file: WalletFile) {
    this.#file = file;
  }

  /**
   * Keeps new coins as held; one already known stays as it is, but learns its order. How many were
   * new.
   */
  keep(coins: readonly Coin[], orderId?: Uint8Array): number {
    return this.#file.atomically(() => {
      let added = 0;
      for (const one of coins) {
        added += this.#file.run(
          `insert into coins (coin_id, coin, state, order_id) values (?, ?, 'held', ?)
           on conflict (coin_id) do nothing`,
          one.body.coinId,
          one.bytes,
          orderId ?? null,
        );
        if (orderId !== undefined) {
          const sql = 'update coins set order_id = ? where coin_id = ? and order_id is null';
          this.#file.run(sql, orderId, one.body.coinId);
        }
      }
      return added;
    });
  }

  /** Takes the card's word for where each coin stands. */
  match(onCard: readonly CoinEntry[]): PoolMatch {
    return this.#file.atomically(() => {
      const unknown: CoinEntry[] = [];
      const present = new Set<string>();
      for (const entry of onCard) {
        present.add(toHex(entry.coinId));
        const state = walletStates[entry.state];
        const sql = 'update coins set state = ? where coin_id = ?';
        if (this.#file.run(sql, state, entry.coinId) === 0) unknown.push(entry);
      }
      const gone = this.#file
        .all(`select coin_id from coins where state <> 'gone'`)
        .map((row) => blobOf(row, 'coin_id'))
        .filter((coinId) => !present.has(toHex(coinId)));
      for (const coinId of gone) {
        this.#file.run(`update coins set state = 'gone' where coin_id = ?`, coinId);
      }
      return { unknown, gone };
    });
  }

  /** What a payment's record says of its coin, until the card is asked again. */
  mark(coinId: Uint8Array, state: WalletCoinState): void {
    this.#file.run('update coins set state = ? where coin_id = ?', state, coinId);
  }

  /** Coins believed to be on the card, in the order of their issue. */
  onCard(): readonly WalletCoin[] {
    return this.#file
      .all(`select coin, state from coins where state <> 'gone' order by coin_id`)
      .map((row) => ({
        coin: decodeStored('coin', () => coin.decode(blobOf(row, 'coin'))),
        state: wordOf(row, 'state', states),
      }));
  }

  find(coinId: Uint8Array): WalletCoin | undefined {
    const row = this.#file.first('select coin, state from coins where coin_id = ?', coinId);
    if (row === undefined) return undefined;
    return {
      coin: decodeStored('coin', () => coin.decode(blobOf(row, 'coin'))),
      state: wordOf(row, 'state', states),
    };
  }

  /** The coins that came under an order. */
  ofOrder(orderId: Uint8Array): readonly Coin[] {
    return this.#file
      .all('select coin from coins where order_id = ? order by coin_id', orderId)
      .map((row) => decodeStored('coin', () => coin.decode(blobOf(row, 'coin'))));
  }
}
