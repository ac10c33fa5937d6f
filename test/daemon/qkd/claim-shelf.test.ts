import { expect, it } from 'vitest';
import { ClaimShelf } from '../../../daemon/qkd/claim-shelf.ts';
import { KeyAccount } from '../../../daemon/qkd/key-account.ts';
import { KeyStock } from '../../../daemon/qkd/key-stock.ts';
import { ScriptedSource } from './key-fixtures.ts';

it('a shelf keeps so many keys and no more, though every claim fails half-way', async () => {
  const source = new ScriptedSource(10_000);
  const far = source.peer();
  far.keysPerFetch = 100;
  const account = new KeyAccount();
  const shelf = new ClaimShelf(far, account);
  const unknown = '00000000-0000-4000-8000-000000000000';
  for (let i = 0; i < 5; i++) {
    const drawn = await source.draw(1_000, 256);
    const claim = [...drawn.map(({ id }) => id), unknown];
    await expect(shelf.collect(claim)).rejects.toMatchObject({ code: 'not-found' });
  }
  const { held, lost } = account.balance(new KeyStock());
  expect([held, lost]).toEqual([256n * 2_048n, 256n * 2_952n]);
});
