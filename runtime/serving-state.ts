import type { ServedModel } from "./served-model.ts";

type Phase = "loading" | "ready" | "draining";

/** What the process is able to do right now; changed by app.ts only. */
export class ServingState {
  #model: ServedModel | undefined;
  #draining = false;
  #othersReady = true;
  readonly #listeners = new Set<() => void>();

  /** Set once the model is loaded, verified and warmed up. */
  get model(): ServedModel | undefined {
    return this.#model;
  }

  set model(model: ServedModel) {
    this.#model = model;
    this.#changed();
  }

  get draining(): boolean {
    return this.#draining;
  }

  get phase(): Phase {
    if (this.#draining) return "draining";
    return this.#model && this.#othersReady ? "ready" : "loading";
  }

  /** A pod is ready when all of its processes are. */
  setOthersReady(ready: boolean): void {
    this.#othersReady = ready;
    this.#changed();
  }

  drain(): void {
    this.#draining = true;
    this.#changed();
  }

  /** Calls `listener` when the phase changes, until the function that it returns is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
