import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, Probe } from "../cluster/objects.ts";

export type ProbeKind = "Startup" | "Readiness" | "Liveness";
type ProbeResult = { passed: true } | { passed: false; because: string };

/** A probe that has never passed is tried this often, so that a local start takes no longer than it must. */
const EAGER_MS = 200;
const MAX_SHOWN_BODY = 256;

interface ProbeTarget {
  address: string;
  container: Container;
}

/** True for the kinds of probe that need no container to run in. */
export function canRun(probe: Probe): boolean {
  return probe.httpGet !== undefined || probe.tcpSocket !== undefined;
}

/** Asks once. Never throws: what goes wrong is the result. */
export function ask(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.httpGet !== undefined) return askHttp(probe.httpGet, target, timeoutMs);
  if (probe.tcpSocket !== undefined) {
    const { host = target.address, port } = probe.tcpSocket;
    return askTcp(host, portNumber(port, target.container), timeoutMs);
  }
  return Promise.resolve({ passed: true });
}

interface Schedule {
  /** Each verdict that counts: a success when successThreshold is reached, a failure at each failed period. */
  onVerdict: (passed: boolean, because: string) => void;
  onFailure: (because: string) => void;
}

/**
 * Asks at the probe's pace and reports when its thresholds are reached. Between the periods of a probe that has not yet
 * passed it also asks eagerly; such an extra failure counts for nothing.
 */
export async function keepAsking(
  probe: Probe,
  target: ProbeTarget,
  { onVerdict, onFailure }: Schedule,
  signal: AbortSignal,
): Promise<void> {
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  const { successThreshold = 1, failureThreshold = 3 } = probe;
  let [successes, failures, everPassed] = [0, 0, false];
  try {
    await sleep((probe.initialDelaySeconds ?? 0) * 1000, undefined, { signal });
    let nextCountAt = performance.now() + periodMs; // a process that just began to start is no failure worth an event
    while (!signal.aborted) {
      const startedAt = performance.now();
      const result = await ask(probe, target);
      if (signal.aborted) return;
      if (result.passed) {
        [successes, failures, everPassed] = [successes + 1, 0, true];
        if (successes === successThreshold) onVerdict(true, "");
      } else {
        successes = 0;
        if (everPassed || startedAt >= nextCountAt) {
          failures++;
          nextCountAt = startedAt + periodMs;
          onFailure(result.because);
          if (failures >= failureThreshold) onVerdict(false, result.because);
        }
      }
      const waitMs = everPassed ? periodMs : Math.min(EAGER_MS, periodMs);
      await sleep(Math.max(0, waitMs - (performance.now() - startedAt)), undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function askHttp(
  { host, path = "/", port, scheme, httpHeaders = [] }: NonNullable<Probe["httpGet"]>,
  { address, container }: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const number = portNumber(port, container);
  const url = `${scheme === "HTTPS" ? "https" : "http"}://${host ?? address}:${number}${path}`;
  return new Promise((resolve) => {
    const fail = (because: string) => resolve({ passed: false, because });
    const send = scheme === "HTTPS" ? httpsRequest : httpRequest;
    const request = send(url, {
      agent: false,
      headers: {
        "user-agent": "kube-probe/slipway-local",
        connection: "close",
        ...Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value])),
      },
      rejectUnauthorized: false, // as a kubelet: a probe asks whether it answers, not who it is
      signal: AbortSignal.timeout(timeoutMs),
    });
    request.on("error", (error) =>
      fail(
        error.name === "TimeoutError" || error.name === "AbortError"
          ? `Get "${url}": no answer within ${timeoutMs} ms`
          : `Get "${url}": ${error.message}`,
      ),
    );
    request.on("response", (response) => {
      const { statusCode = 0 } = response;
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        if (body.length < MAX_SHOWN_BODY) body += text.slice(0, MAX_SHOWN_BODY);
      });
      response.on("error", (error) => fail(`Get "${url}": ${error.message}`));
      response.on("end", () =>
        statusCode >= 200 && statusCode < 400
          ? resolve({ passed: true })
          : fail(`HTTP probe failed with statuscode: ${statusCode}${body === "" ? "" : ` (${body.trim()})`}`),
      );
    });
    request.end();
  });
}

function askTcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const finish = (result: ProbeResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.on("connect", () => finish({ passed: true }));
    socket.on("timeout", () =>
      finish({ passed: false, because: `dial tcp ${host}:${port}: no answer within ${timeoutMs} ms` }),
    );
    socket.on("error", (error) => finish({ passed: false, because: `dial tcp ${host}:${port}: ${error.message}` }));
  });
}

function portNumber(port: number | string, { ports = [] }: Container): number {
  if (typeof port === "number") return port;
  return ports.find(({ name }) => name === port)?.containerPort ?? Number(port);
}
