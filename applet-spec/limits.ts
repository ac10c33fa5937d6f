/** Every bound of the specification, each with its reason. A decoder refuses what is beyond. */
export const limits = {
  /**
   * A station's name is a DNS label chain; short names keep 16-station payments within 8 short
   * APDUs.
   */
  stationNameBytes: 32,
  /** `local@station`. */
  userNameBytes: 64,
  networkNameBytes: 32,
  /**
   * A payment needs two stations; sixteen span a continent at 80 km a hop with relays of relays.
   */
  routeStationsLeast: 2,
  routeStationsMost: 16,
  /** A P-256 certificate with our names is 400 to 600 bytes; the card reserves this much. */
  certificateBytes: 1_024,
  /** Of one station, both roles: more than a key a year for as long as a root is good. */
  formerCertificates: 32,
  /** 8,000 revoked certificates of 49 bytes: serial number of 16, date and reason. */
  crlBytes: 400_000,
  /** Statements signed under one Merkle root; as many as one commit batch may hold. */
  batchStatements: 64,
  /** log2 of `batchStatements`. */
  batchPathHashes: 6,
  /** A refusal's explanation to a person. */
  messageBytes: 256,
  /** Coins that one card holds: 64 bytes each. */
  cardCoins: 1_000,
  /** Coins in one LOAD: 60 bytes each, so a wrapped command stays below 4 KiB of card buffer. */
  loadCoins: 32,
  /**
   * IDs of coins that left a card, which it refuses to load again: 16 bytes each, a full pool's
   * worth.
   */
  cardGoneCoins: 1_024,
  /** Slots for keys shared with a peer, provisional or active. */
  cardPeerKeys: 64,
  /** Public keys that a card signed with before: a renewal a year. */
  cardFormerKeys: 8,
  /** Coins put back at once, and lines of one order. */
  orderCoins: 1_000,
  orderLines: 16,
  /** A station's challenge to a key that the card has made. */
  nonceBytesLeast: 16,
  nonceBytesMost: 64,
  pinTries: 3,
  pukTries: 10,
  pinBytesLeast: 4,
  pinBytesMost: 16,
  /** A whole APDU, wrapped: what a virtual reader carries. */
  apduBytes: 65_535,
  /** One desk message; the largest carries a full CRL. */
  deskMessageBytes: 524_288,
  /** What two people send each other under a key, per record. */
  peerMessageBytes: 65_536,
  /** Records of one message: as many as a replay window tells apart. */
  peerMessageRecords: 64,
} as const;
