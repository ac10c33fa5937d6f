/** A connection of whole binary messages, in order: what links and desk talk over. */
export interface Socket {
  /** Who is at the other end, for the log. */
  readonly remote: string;
  /** Bytes given to `send` that the system has not taken yet; for back-pressure. */
  readonly bufferedBytes: number;
  /** Dropped silently once the connection is over. */
  send(bytes: Uint8Array): void;
  /** Ends the connection; `reason` is at most 123 bytes and holds no secret. */
  close(reason: string): void;
  /** Ends it at once, for a peer that breaks the protocol. */
  destroy(): void;
  /** Set before the first turn of the loop ends; messages wait until then. */
  listen(listener: SocketListener): void;
}

export interface SocketListener {
  message(bytes: Uint8Array): void;
  /** Once; whatever ended it. */
  closed(reason: string): void;
}

export interface SocketServer {
  readonly port: number;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

export interface SocketFactory {
  listen(
    at: { readonly host: string; readonly port: number; readonly messageBytesMost: number },
    accept: (socket: Socket) => void,
  ): Promise<SocketServer>;
  /** Rejects where nobody listens, the deadline passes or the signal fires. */
  connect(url: string, messageBytesMost: number, signal?: AbortSignal): Promise<Socket>;
}
