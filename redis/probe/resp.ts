import { ErrorReply, type Reply as Bytes } from '../resp.js';

/** One reply as text; an error reply is an Error whose message is the server's. */
export type Reply = string | number | null | Error | Reply[];

/** What the probe writes and reads is text. */
export function asText(reply: Bytes): Reply {
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (Array.isArray(reply)) return reply.map(asText);
  return reply instanceof ErrorReply ? new Error(reply.message) : reply;
}
