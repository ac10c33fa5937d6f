/** The thread of `workerCheckpoints`: one passive checkpoint for each message. */
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { CheckpointConnection } from './connection.ts';

const { file } = z.object({ file: z.string() }).parse(workerData);
const connection = new CheckpointConnection(file);

parentPort?.on('message', (message) => {
  if (message === 'checkpoint') {
    connection.passive();
    parentPort?.postMessage('done');
    return;
  }
  connection.close();
  parentPort?.close();
});
