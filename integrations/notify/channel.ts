import type { Notification } from '../../model/notifications/events.js';
import type { Message } from '../../model/notifications/message.js';
import type { OperationStatus } from '../../model/operation.js';

/** One thing to be told, in words, and what a machine may want to know of it. */
export interface Outgoing {
  /** The same each time that it is sent, by whatever process: who gets it twice knows it by this. */
  messageId: string;
  event: Notification;
  message: Message;
  status: OperationStatus;
  /** Of Temporal, of the first of the operation's runs. */
  run: string;
}

/** A message where it was posted, for a channel whose messages can be changed. */
export interface Posted {
  /** Since when it has been on its way: it may have arrived, though nobody heard so. ISO 8601. */
  since: string;
  /** The other side's name for it; absent until it is known to be there. */
  ref?: string;
  /** What it shows. */
  shown?: string;
}

/** What one channel knows of the messages of one run, and keeps over restarts. */
export interface Memory {
  get(id: string): Posted | undefined;
  put(id: string, posted: Posted): Promise<void>;
}

/** Somewhere messages go. */
export interface Channel {
  /** Once, as far as the other side lets that be known. @throws Undelivered */
  send(outgoing: Outgoing, memory: Memory): Promise<void>;
  /** Has a message that was sent say what is so now. @throws Undelivered */
  refresh?(outgoing: Outgoing, memory: Memory): Promise<void>;
}
