import { startApiServer } from "../../local/api-server/server.ts";
import type { ApiServer } from "../../local/api-server/server.ts";
import { ClusterClient } from "../../local/cluster/client.ts";

/** An API server for each test of the enclosing suite, and a client of it. */
export class FreshApiServer {
  private running: { readonly server: ApiServer; readonly client: ClusterClient } | undefined;

  constructor() {
    beforeEach(async () => {
      const server = await startApiServer();
      this.running = { server, client: ClusterClient.plain(server.url) };
    });
    afterEach(async () => {
      await this.running?.client.close();
      await this.running?.server.close();
    });
  }

  get client(): ClusterClient {
    if (this.running === undefined) throw new Error("the API server runs only during a test");
    return this.running.client;
  }
}
