import { expect, it } from 'vitest';
import { linkLimits } from '../../../daemon/link/link-limits.ts';
import { MessagePipe } from '../../../daemon/link/message-pipe.ts';
import type { Socket, SocketListener } from '../../../daemon/socket.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

it('messages that a handshake is not ready for are kept up to two frames', async () => {
  let listener: SocketListener | undefined;
  let isDestroyed = false;
  const socket: Socket = {
    remote: 'mallory',
    bufferedBytes: 0,
    send: () => undefined,
    close: () => undefined,
    destroy: () => {
      isDestroyed = true;
    },
    listen: (now) => {
      listener = now;
    },
  };
  const pipe = new MessagePipe(socket, new VirtualClock());
  const frame = new Uint8Array(linkLimits.frameBytes);
  for (let i = 0; i < 2; i++) listener?.message(frame);
  expect(isDestroyed).toBe(false);
  expect(await pipe.next(1)).toBe(frame);
  listener?.message(frame);
  expect(isDestroyed).toBe(false);
  listener?.message(Uint8Array.of(1));
  expect(isDestroyed).toBe(true);
  await expect(pipe.next(1)).rejects.toMatchObject({ code: 'peer-out-of-bounds' });
});
