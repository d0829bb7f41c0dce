import type { ServedModel } from "./served-model.ts";

/** What the process is able to do right now; changed by app.ts only. */
export class ServingState {
  /** Set once the model is loaded, verified and warmed up. */
  model: ServedModel | undefined;
  draining = false;

  get phase(): "loading" | "ready" | "draining" {
    if (this.draining) return "draining";
    return this.model ? "ready" : "loading";
  }
}
