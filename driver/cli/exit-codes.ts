import type { ErrandFailure } from '../agent/errands.ts';

/** What a command's exit code says; scripts rely on them, so none is ever given another meaning. */
export const exitCodes = {
  done: 0,
  /** Something does not work: station down, no card, defect. Nothing was lost. */
  fault: 1,
  /** The command line lacks something or says something impossible. */
  usage: 2,
  /** Card or station said no. Nothing was changed, or what was has been made good. */
  refused: 3,
  /**
   * It may have happened; the next connection finds out. Do not do it again by other means. Or a
   * part of it has, and the message says which.
   */
  unknown: 4,
} as const satisfies Record<'done' | ErrandFailure['outcome'], number>;
