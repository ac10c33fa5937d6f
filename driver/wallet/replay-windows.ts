import { emptyReplayWindow, markSeen, type ReplayWindow } from '../../applet-spec/replay-window.ts';
import type { WalletFile } from './wallet-file.ts';
import { bigOf } from './wallet-row.ts';

/**
 * S4: which records of each peer key and epoch were received. Kept on disk, so that no restart lets
 * an old message in again.
 */
export class ReplayWindows {
  readonly #file: WalletFile;

  constructor(file: WalletFile) {
    this.#file = file;
  }

  /**
   * All the records of one message, or none of them: true once, durably; false where any was seen
   * before or is too old to tell.
   */
  admit(paymentId: Uint8Array, epoch: bigint, sequences: readonly bigint[]): boolean {
    return this.#file.atomically(() => {
      let window = this.#window(paymentId, epoch);
      for (const sequence of sequences) {
        const next = markSeen(window, sequence);
        if (next === undefined) return false;
        window = next;
      }
      this.#file.run(
        `insert into replay_windows (payment_id, epoch, highest, seen) values (?, ?, ?, ?)
         on conflict (payment_id, epoch) do update set highest = excluded.highest,
           seen = excluded.seen`,
        paymentId,
        epoch.toString(),
        window.highest.toString(),
        window.seen.toString(),
      );
      return true;
    });
  }

  #window(paymentId: Uint8Array, epoch: bigint): ReplayWindow {
    const row = this.#file.first(
      'select highest, seen from replay_windows where payment_id = ? and epoch = ?',
      paymentId,
      epoch.toString(),
    );
    if (row === undefined) return emptyReplayWindow;
    return { highest: bigOf(row, 'highest'), seen: bigOf(row, 'seen') };
  }
}
