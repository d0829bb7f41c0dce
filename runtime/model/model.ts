import { join } from "node:path";

import { LoadError } from "../load-error.ts";
import { answerReader } from "./answer.ts";
import type { AnswerReader } from "./answer.ts";
import { resolveFeatures } from "./features.ts";
import type { Feature } from "./features.ts";
import { findModelFiles, singleFile } from "./files.ts";
import { readMetadata } from "./metadata.ts";
import type { Metadata } from "./metadata.ts";
import { createPipeline } from "./pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { openGraph } from "./session.ts";
import { warmUp } from "./warm-up.ts";

/** A model version that is verified to run. */
export interface Model {
  readonly metadata: Metadata;
  readonly pipeline: Pipeline;
  /** Undefined when the model takes tensors without named fields. */
  readonly features: readonly Feature[] | undefined;
  readonly answers: AnswerReader;
  /** Whether rows of several requests may share a run. */
  readonly batchable: boolean;
}

/** Where the graphs are. `file` names a graph that stands alone; `uri` is for messages. */
export interface ModelLocation {
  readonly folder: string;
  readonly file: string | undefined;
  readonly uri: string;
}

/** Opens the model and tries it. Throws a LoadError. */
export async function openModel({ folder, file, uri: source }: ModelLocation, intraOpThreads: number): Promise<Model> {
  const files = file === undefined ? await findModelFiles(folder, source) : singleFile(file, source);
  const metadata = file === undefined ? await readMetadata(folder, source) : {};
  const model = await openGraph(join(folder, files.model), source, intraOpThreads);
  const preprocessor = files.preprocessor
    ? await openGraph(join(folder, files.preprocessor), source, intraOpThreads)
    : undefined;

  const pipeline = createPipeline(model, preprocessor, source);
  if (pipeline.inputs.length === 0) {
    throw new LoadError(
      "InvalidModel",
      `loading ${source}: ${files.model} has no inputs, so there is nothing to predict from`,
    );
  }
  const features = resolveFeatures(metadata.features ?? files.features, pipeline.inputs, source);
  const { outputs, batchable } = await warmUp(pipeline, preprocessor !== undefined, source);
  const answers = answerReader(metadata, pipeline.outputs, model.otherOutputs, outputs, source);
  return { metadata, pipeline, features, answers, batchable };
}
