import { readCommandData, readResponseData } from './recorder-card-wire.ts';
import { NeedleIndex, type Needle } from './recorder-needles.ts';
import { base64Readings, hexReadings, type Reading } from './recorder-text-forms.ts';
import { readWebSocket } from './recorder-websocket.ts';
import type { Recording, Segment } from './recorder.ts';

export type Direction = 'to-target' | 'to-client';

/** `wire` is what went over it, byte by byte; the others are what that carried. */
export type Layer = 'wire' | 'apdu-data' | 'messages' | 'control-frames';

export type Form = 'raw' | 'hex' | 'base64';

/** A needle seen in one form, in one layer of one direction of one connection. */
export interface Finding {
  readonly segment: Segment;
  readonly stream: string;
  readonly direction: Direction;
  readonly layer: Layer;
  readonly form: Form;
  /** The needle's name. */
  readonly needle: string;
  /** Where in the layer its first window begins. */
  readonly offset: number;
  /** How many of its windows were seen. */
  readonly windows: number;
}

/** A connection that the recorder could not look into, so that its silence proves nothing. */
export interface BlindSpot {
  readonly segment: Segment;
  readonly stream: string;
  readonly direction: Direction;
  readonly reason: string;
}

interface Text {
  readonly direction: Direction;
  readonly layer: Layer;
  readonly bytes: Uint8Array;
}

interface Decoded {
  readonly texts: readonly Text[];
  readonly faults: readonly { readonly direction: Direction; readonly reason: string }[];
}

/**
 * Searches every 16-byte window of each needle, raw, in hexadecimal and in base64, in both
 * directions of each recording: on the wire and in what is carried (messages unmasked and joined,
 * APDU chains joined). Throws RangeError on a needle of less than 16 bytes.
 */
export function searchRecordings(
  recordings: readonly Recording[],
  needles: readonly Needle[],
): Finding[] {
  const index = new NeedleIndex(needles);
  return recordings.flatMap((recording) =>
    decode(recording).texts.flatMap((text) => searchText(recording, text, index, needles)),
  );
}

/**
 * The connections whose messages or APDUs could not be read; a search is worth what this is empty.
 */
export function blindSpots(recordings: readonly Recording[]): BlindSpot[] {
  return recordings.flatMap((recording) =>
    decode(recording).faults.map((fault) => ({
      segment: recording.segment,
      stream: recording.stream,
      ...fault,
    })),
  );
}

function decode(recording: Recording): Decoded {
  const { toTarget, toClient } = recording;
  const carried = recording.segment === 'card-host' ? decodeCard : decodeWebSocket;
  const { texts, faults } = carried(recording);
  const wire: Text[] = [
    { direction: 'to-target', layer: 'wire', bytes: toTarget },
    { direction: 'to-client', layer: 'wire', bytes: toClient },
  ];
  return { texts: [...wire, ...texts], faults };
}

/** The card is the client: under the vpcd protocol it connects to its reader. */
function decodeCard({ toTarget, toClient }: Recording): Decoded {
  const responses = readResponseData(toTarget);
  const commands = readCommandData(toClient);
  return {
    texts: [
      { direction: 'to-target', layer: 'apdu-data', bytes: responses.data },
      { direction: 'to-client', layer: 'apdu-data', bytes: commands.data },
    ],
    faults: [...faultsOf('to-target', responses.fault), ...faultsOf('to-client', commands.fault)],
  };
}

function decodeWebSocket({ toTarget, toClient }: Recording): Decoded {
  const wire = readWebSocket(toTarget, toClient);
  return {
    texts: [
      { direction: 'to-target', layer: 'messages', bytes: wire.toServer.messages },
      { direction: 'to-target', layer: 'control-frames', bytes: wire.toServer.controls },
      { direction: 'to-client', layer: 'messages', bytes: wire.toClient.messages },
      { direction: 'to-client', layer: 'control-frames', bytes: wire.toClient.controls },
    ],
    faults: [
      ...faultsOf('to-target', wire.toServer.fault),
      ...faultsOf('to-client', wire.toClient.fault),
    ],
  };
}

function faultsOf(direction: Direction, reason: string | undefined): Decoded['faults'] {
  return reason === undefined ? [] : [{ direction, reason }];
}

function searchText(
  { segment, stream }: Recording,
  { direction, layer, bytes }: Text,
  index: NeedleIndex,
  needles: readonly Needle[],
): Finding[] {
  const place = { segment, stream, direction, layer };
  return readingsOf(bytes).flatMap(([form, readings]) =>
    [...tally(readings, index)].map(([needle, { offset, windows }]) => ({
      ...place,
      form,
      needle: needles[needle]?.name ?? '',
      offset,
      windows,
    })),
  );
}

function readingsOf(bytes: Uint8Array): (readonly [Form, Iterable<Reading>])[] {
  return [
    ['raw', [{ bytes, offsetOf: (at) => at }]],
    ['hex', hexReadings(bytes)],
    ['base64', base64Readings(bytes)],
  ];
}

interface Sighting {
  offset: number;
  windows: number;
}

/** By needle. The readings of one stretch overlap, so the first offset is the least. */
function tally(readings: Iterable<Reading>, index: NeedleIndex): Map<number, Sighting> {
  const sightings = new Map<number, Sighting>();
  for (const { bytes, offsetOf } of readings) {
    index.search(bytes, (needle, at) => {
      const offset = offsetOf(at);
      const sighting = sightings.get(needle) ?? { offset, windows: 0 };
      sighting.offset = Math.min(sighting.offset, offset);
      sighting.windows += 1;
      sightings.set(needle, sighting);
    });
  }
  return sightings;
}
