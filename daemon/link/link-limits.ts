/** Every bound of a link, each with its reason. */
export const linkLimits = {
  /** One WebSocket message: holds the largest CRL and its wrapping, and 64 records of 16 KiB. */
  frameBytes: 1_048_576,
  /** Items in one frame (design §9): larger batches make stations take turns. */
  frameItems: 64,
  /** A frame is closed at this size, so that a receipt never waits behind a megabyte. */
  frameFillBytes: 262_144,
  /** The first messages, before anything is authenticated. */
  handshakeBytes: 4_096,
  /**
   * A message in an outbox record: a payment over 16 stations with its certificate is below 10 KiB.
   */
  messageBytes: 32_768,
  /** A record on the wire: the message, or its ciphertext, and the key IDs that cover it. */
  recordBytes: 65_536,
  /** A message that is told: the largest carries a CRL. */
  toldBytes: 524_288,
  /** Keys that cover one record: 32 KiB of message in 256-bit keys. A claim may name 1,032. */
  recordKeyIds: 1_028,
  /** Keys in one claim at the device. */
  claimKeyIds: 1_028,
  /** Keys that make one traffic key, on a device of 64-bit keys with room to spare. */
  trafficKeyIds: 16,
  /** Rows that wait for their frame: more than the relay keeps in flight. */
  queuedRows: 4_096,
  queuedRowBytes: 16 * 1_048_576,
  queuedTold: 1_024,
  queuedToldBytes: 4 * 1_048_576,
  /** Items of the link itself: twice what the rows of an honest peer bring about. */
  queuedOwn: 16_384,
  /** Rows sent or queued, and not confirmed; the sender keeps them to protect them anew. */
  unconfirmedRows: 8_192,
  /** Frames given to the socket that the system has not taken yet. */
  socketBytes: 1_048_576,
  /** How often a full socket is looked at again. */
  socketPauseMs: 2,
  /** Row IDs in one item of a frame. */
  itemRowIds: 1_024,
  /** Rows received whose pads are being fetched; an honest peer stays below `unconfirmedRows`. */
  openingRows: 8_192,
  /** The largest of as many rows as the relay keeps in flight. */
  openingBytes: 1_024 * 65_536,
  /** Confirmations that the peer does not take off us. */
  pendingConfirmations: 65_536,
  /** How often one row is protected anew on one connection before the link gives up. */
  protectionsAnew: 4,
  /** How many fresh traffic keys in a row the peer may fail to fetch. */
  rekeyFailures: 8,
  /** Rows of a peer whose pads are known to be used, for the answer to their repetition. */
  rememberedRows: 8_192,
  /**
   * Connections of one neighbour, each of which takes two QKD keys: as many as one makes that dials
   * after the longest pauses.
   */
  answersPerHour: 120,
  /** Messages that may wait for a handshake that is not ready for them. */
  waitingMessages: 64,
  /** Two of the largest: one may come with the peer's proof, in what the system read at once. */
  waitingBytes: 2 * 1_048_576,
} as const;

/** Times in milliseconds. */
export const linkTimes = {
  /** The whole handshake, fetching of keys included. */
  handshakeMs: 30_000,
  /** A newcomer's first message, and its proof that it knows the link-authentication key. */
  strangerMs: 5_000,
  /** How long a handshake waits for a QKD key of its own before it says that there is none. */
  keyGraceMs: 2_000,
  /**
   * Pauses between attempts to connect: doubled each time, and up to half as much again at random.
   */
  firstPauseMs: 250,
  longestPauseMs: 30_000,
  /** A connection that lasted this long makes the next pause the first one again. */
  steadyMs: 60_000,
  /**
   * Between attempts with a peer whose certificate was refused, whichever end dials: each takes two
   * QKD keys, and only another certificate can make it succeed.
   */
  distrustMs: 60_000,
  /** How long traffic may wait for a fresh key before that counts as trouble. */
  stallGraceMs: 200,
  /** How long the old key still opens frames after a new one has begun (design §5). */
  oldKeyMs: 30_000,
  /** Pauses while the device of the receiving end is away. */
  claimFirstPauseMs: 250,
  claimLongestPauseMs: 10_000,
  /** So long a device refuses a key as if it were away, before it is asked whether it is. */
  claimDoubtMs: 600_000,
} as const;

/**
 * A fresh key is asked for when this part of the old one's life is over: there is time to fetch it.
 */
export const rekeyAhead = 0.8;
