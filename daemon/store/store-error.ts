/**
 * What can go wrong with a station's durable memory. A rejected call has left nothing behind, but
 * for `io` and `corrupt`, which end a store: whether the last calls were kept, the next one shows.
 *
 * | code | means | retryable |
 * |---|---|---|
 * | busy | another program held the database too long | yes |
 * | disk-full | no room; nothing was kept (failure 40) | yes |
 * | io | the disk failed; check it and start again (failure 41) | no |
 * | corrupt | the file is no sound database, or a sealed record was changed | no |
 * | wrong-key | the station key does not open this database | no |
 * | wrong-station | the database belongs to another station or currency | no |
 * | newer-schema | a newer program has used this database | no |
 * | closed | the store is closed | no |
 * | wrong-state | a step that the state graph does not have | no |
 * | unknown | a record that must exist does not | no |
 * | defect | what the caller asks contradicts itself or the books | no |
 */
export type StoreErrorCode =
  | 'busy'
  | 'disk-full'
  | 'io'
  | 'corrupt'
  | 'wrong-key'
  | 'wrong-station'
  | 'newer-schema'
  | 'closed'
  | 'wrong-state'
  | 'unknown'
  | 'defect';

const retryableCodes: ReadonlySet<StoreErrorCode> = new Set(['busy', 'disk-full']);

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly retryable: boolean;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = retryableCodes.has(code);
  }
}
