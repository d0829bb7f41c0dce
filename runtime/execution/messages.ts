import type { Tensor } from "onnxruntime-node";

import type { ModelFiles } from "../model/files.ts";
import type { ElementType, OutputTensor } from "../model/tensor.ts";

/** What the worker is started with. */
export interface WorkerSetup {
  readonly folder: string;
  readonly files: ModelFiles;
  readonly intraOpThreads: number;
  readonly source: string;
}

/** A tensor on its way to the worker; the bytes of numbers change hands rather than being copied. */
export interface SentTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Tensor["data"];
}

export type ToWorker = { readonly run: number; readonly feeds: readonly SentTensor[] } | { readonly stop: true };

export type FromWorker =
  | { readonly ready: true }
  | { readonly run: number; readonly outputs: readonly OutputTensor[] }
  | { readonly run: number; readonly error: string };
