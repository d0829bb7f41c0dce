/** An API server as a process that can be killed: `node api-server-process.ts STATE-FILE`. Says where it is, once it is. */
import { startApiServer } from "../../../local/api-server/server.ts";

const { url } = await startApiServer({ stateFile: process.argv[2] ?? "" });
console.log(url);
