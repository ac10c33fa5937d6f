import { setMaxListeners } from 'node:events';

/**
 * What ends something that any number wait for: beyond ten Node tells the operator of a possible
 * leak, on a bad day of all.
 */
export function signalForMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
