import { Metadata } from "@grpc/grpc-js";
import type { Client } from "@grpc/grpc-js";

const asIs = (bytes: Buffer): Buffer => bytes;

/** Rejects with grpc-js' ServiceError. */
export function unaryCall(client: Client, path: string, message: Buffer, metadata = new Metadata()): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<Buffer, Buffer>(path, asIs, asIs, message, metadata, (error, answer) => {
      if (error) reject(error);
      else resolve(answer ?? Buffer.alloc(0));
    });
  });
}

export function serverStream(client: Client, path: string, message: Buffer): AsyncIterator<Buffer> {
  const stream = client.makeServerStreamRequest<Buffer, Buffer>(path, asIs, asIs, message);
  return stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
}
