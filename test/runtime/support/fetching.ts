import { expect } from "chai";
import { pino } from "pino";

import { readConfig } from "../../../runtime/config.ts";
import { LoadError } from "../../../runtime/load-error.ts";
import { fetchArtifact } from "../../../runtime/source/artifact.ts";
import type { Artifact } from "../../../runtime/source/artifact.ts";
import type { Scratch } from "./scratch.ts";

type Environment = Readonly<Record<string, string>>;

/** Fetches artifacts into a cache of the suite's own. */
export class Fetching {
  readonly #scratch: Scratch;
  readonly #environment: () => Environment;

  /** `environment` is asked for at each fetch: addresses of servers are known late. */
  constructor(scratch: Scratch, environment: () => Environment = () => ({})) {
    this.#scratch = scratch;
    this.#environment = environment;
  }

  fetched(uri: string, environment: Environment = {}): Promise<Artifact> {
    const MODEL_CACHE_DIR = this.#scratch.path("cache");
    const config = readConfig({ MODEL_URI: uri, MODEL_CACHE_DIR, ...this.#environment(), ...environment });
    return fetchArtifact(config, pino({ level: "silent" }), new AbortController().signal);
  }

  /** The LoadError; it must not hold any of `secrets`. */
  async refused(uri: string, environment: Environment = {}, secrets: readonly string[] = []): Promise<LoadError> {
    const error: unknown = await this.fetched(uri, environment).catch((error: unknown) => error);
    expect(error).to.be.instanceOf(LoadError);
    for (const secret of secrets) expect((error as LoadError).message).to.not.include(secret);
    return error as LoadError;
  }
}
