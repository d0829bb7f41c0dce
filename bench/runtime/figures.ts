import { FOREST_FIGURES } from "./figures/forest.ts";
import { GRPC_FIGURE } from "./figures/grpc.ts";
import { IMAGE_FIGURES } from "./figures/image.ts";
import { memoryFigure } from "./figures/memory.ts";
import { METRICS_FIGURE } from "./figures/metrics.ts";
import { PERCEPTRON_FIGURES } from "./figures/perceptron.ts";
import { PREDICT_FIGURES } from "./figures/predict.ts";
import { START_FIGURE } from "./figures/start.ts";
import type { Figure, Plan } from "./plan.ts";

/** All of them, in the order of docs/benchmarks.md. */
export const figures = (plan: Plan): readonly Figure[] => [
  ...FOREST_FIGURES,
  ...PERCEPTRON_FIGURES,
  ...PREDICT_FIGURES,
  ...IMAGE_FIGURES,
  GRPC_FIGURE,
  METRICS_FIGURE,
  START_FIGURE,
  memoryFigure(plan),
];
