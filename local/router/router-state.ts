import type { VirtualHost } from "./routes-file.ts";
import type { Decide } from "./routing.ts";
import type { Upstreams } from "./upstreams.ts";

/** What both ports look at. */
export interface RouterState {
  readonly upstreams: Upstreams;
  readonly decide: Decide;
  /** In [0, 1). */
  readonly random: () => number;
  /** The routes of this moment. */
  readonly routes: () => readonly VirtualHost[];
  readonly ready: () => boolean;
  /** Every answer then ends its connection, so that clients come back to another router. */
  readonly draining: () => boolean;
}
