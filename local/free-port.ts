import { once } from "node:events";
import { createServer } from "node:net";
import { UserError } from "./user-error.ts";

const LAST_PORT = 65_535;

/** @throws UserError when nobody may listen there now */
export async function requireFree(port: number, host: string): Promise<void> {
  const problem = await problemOf(port, host);
  if (problem === undefined) return;
  if (!isOfThePort(problem)) throw unusable(host, problem);
  const why = problem.code === "EADDRINUSE" ? "is in use" : "is for programs with more rights than this one";
  throw new UserError(`Port ${port} ${why}: give another with --port, or none and the next free one is taken.`);
}

/** The first free port from `first` on. @throws UserError when no port of that address can be had */
export async function freePort(first: number, host: string): Promise<number> {
  for (let port = first; port <= LAST_PORT; port++) {
    const problem = await problemOf(port, host);
    if (problem === undefined) return port;
    if (!isOfThePort(problem)) throw unusable(host, problem);
  }
  throw new UserError(`No port of ${host} from ${first} to ${LAST_PORT} is free.`);
}

/** Another port of that address may do. */
function isOfThePort({ code }: NodeJS.ErrnoException): boolean {
  return code === "EADDRINUSE" || code === "EACCES";
}

function unusable(host: string, { message }: Error): UserError {
  return new UserError(`Nothing can listen on ${host}: ${message}; give an address of this machine with --host.`);
}

async function problemOf(port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  const server = createServer().listen(port, host);
  try {
    await once(server, "listening");
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  } finally {
    server.close();
  }
}
