import { answerReader } from "./answer.ts";
import type { AnswerReader } from "./answer.ts";
import { exampleRow } from "./example.ts";
import { resolveFeatures } from "./features.ts";
import type { Feature } from "./features.ts";
import { findModelFiles } from "./files.ts";
import type { ModelFiles } from "./files.ts";
import type { Golden } from "./golden-schema.ts";
import { readGolden } from "./golden.ts";
import { readMetadata } from "./metadata.ts";
import type { Metadata } from "./metadata-schema.ts";
import { openPipeline } from "./open-pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { warmUp } from "./warm-up.ts";

/** A model version that is verified to run. */
export interface Model {
  readonly files: ModelFiles;
  readonly metadata: Metadata;
  readonly pipeline: Pipeline;
  /** Undefined when the model takes tensors without named fields. */
  readonly features: readonly Feature[] | undefined;
  /** A row to show people, where there are features. */
  readonly example: Readonly<Record<string, unknown>> | undefined;
  /** What the model is expected to answer, until that was checked. */
  readonly golden: Golden | undefined;
  readonly answers: AnswerReader;
  /** Whether rows of several requests may share a run. */
  readonly batchable: boolean;
  /** The rows of every run when the graph fixes them, to more than one; fewer are filled up. */
  readonly fixedRows: number | undefined;
  /** Milliseconds of a warm run of as few rows as possible; undefined when no made-up row could be run. */
  readonly runMs: number | undefined;
}

/** Where the graphs are. `file` names a graph that stands alone; `uri` is for messages. */
export interface ModelLocation {
  readonly folder: string;
  readonly file: string | undefined;
  readonly uri: string;
}

/** Opens the model and tries it. Throws a LoadError. */
export async function openModel({ folder, file, uri: source }: ModelLocation, intraOpThreads: number): Promise<Model> {
  const files = file === undefined ? await findModelFiles(folder, source) : { model: file };
  const metadata = file === undefined ? await readMetadata(folder, source) : {};
  const golden = file === undefined ? await readGolden(folder, source) : undefined;
  const { pipeline, otherOutputs } = await openPipeline(folder, files, intraOpThreads, source);
  const features = resolveFeatures(metadata.features ?? files.features, pipeline.inputs, source, {
    declaredIn: metadata.features ? "metadata.json" : "MLmodel",
    graph: files.preprocessor ?? files.model,
  });
  const { outputs, batchable, fixedRows, runMs } = await warmUp(pipeline, files.preprocessor !== undefined, source);
  const answers = answerReader(
    metadata,
    { outputs: pipeline.outputs, otherOutputs, sample: outputs, batchable },
    source,
  );
  const example = features && exampleRow(golden, features);
  return { files, metadata, pipeline, features, example, golden, answers, batchable, fixedRows, runMs };
}
