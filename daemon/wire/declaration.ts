/**
 * A station's signed word that leaves of its log are lost and from where it goes on (failures 37
 * to 39): it gives up for ever what neighbours witnessed beyond, and numbers what follows as
 * another generation of its log. Neighbours keep it; their audits and its own show it for ever.
 */
import { labels } from '../../applet-spec/labels.ts';
import { hash, networkName, seconds, signedHead, stationName } from '../../applet-spec/names.ts';
import { signedKind, type Signed } from '../../applet-spec/signed-object.ts';
import { checked, element, struct, uint, type Static } from '../../applet-spec/tlv.ts';
import { countsFault } from './counts.ts';

const declarationFields = struct({
  ...signedHead,
  network: element(0x82, networkName),
  /** Whose log it is. */
  station: element(0x83, stationName),
  /** Of the log from here on. */
  generation: element(0x84, uint(8)),
  /** The furthest checkpoint that a neighbour is known to have cosigned, and that is given up. */
  lost: element(
    0xa5,
    struct({
      generation: element(0x80, uint(8)),
      size: element(0x81, uint(8)),
      root: element(0x82, hash),
    }),
  ),
  /** The log that was left, with which the new generation begins. */
  kept: element(0xa6, struct({ size: element(0x80, uint(8)), root: element(0x81, hash) })),
  time: element(0x87, seconds),
});
export type DeclarationBody = Static<typeof declarationFields>;
export type Declaration = Signed<DeclarationBody>;

const declarationBody = checked(declarationFields, ({ generation, lost, kept }) =>
  generation > lost.generation
    ? countsFault([generation, lost.size, kept.size])
    : 'a generation that is not after the one given up',
);

/** Signed with the station's document key. */
export const declaration = signedKind('declaration', 0xef, labels.declaration, declarationBody);
