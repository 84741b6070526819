import { PassThrough, Readable } from 'node:stream';

const HELD_BYTES = 256 * 1024;

/**
 * What a transforming stream makes of a source, at the pace of whoever reads it. Each end's failure is the other's; where
 * the reader leaves early, the source is ended. Streams of an older make are taken too: theirs are told by events alone.
 */
export async function* through(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  stream: NodeJS.ReadWriteStream,
): AsyncGenerator<Buffer, void, void> {
  const input = Readable.from(source, { objectMode: false, highWaterMark: HELD_BYTES });
  const output = new PassThrough({ highWaterMark: HELD_BYTES });
  const fail = (error: Error): void => {
    input.destroy();
    output.destroy(error);
  };
  input.on('error', fail);
  stream.on('error', fail);
  input.pipe(stream).pipe(output);
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) yield chunk;
  } finally {
    input.destroy();
    output.destroy();
  }
}
