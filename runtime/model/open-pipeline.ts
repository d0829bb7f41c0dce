import { join } from "node:path";

import { LoadError } from "../load-error.ts";
import type { ModelFiles } from "./files.ts";
import { createPipeline } from "./pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { openGraph } from "./session.ts";

export interface OpenedPipeline {
  readonly pipeline: Pipeline;
  /** Outputs of the model that are sequences or maps, which cannot be fetched. */
  readonly otherOutputs: readonly string[];
}

/** Opens the graphs and connects them. Throws a LoadError. */
export async function openPipeline(
  folder: string,
  files: ModelFiles,
  intraOpThreads: number,
  source: string,
): Promise<OpenedPipeline> {
  const model = openGraph(join(folder, files.model), source, intraOpThreads);
  const preprocessor = files.preprocessor
    ? openGraph(join(folder, files.preprocessor), source, intraOpThreads)
    : undefined;
  const pipeline = createPipeline(model, preprocessor, source);
  if (pipeline.inputs.length === 0) {
    throw new LoadError(
      "InvalidModel",
      `loading ${source}: ${files.model} has no inputs, so there is nothing to predict from`,
    );
  }
  return { pipeline, otherOutputs: model.otherOutputs };
}
