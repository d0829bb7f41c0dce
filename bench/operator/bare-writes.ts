import { parseModelDeployment } from "../../operator/api/parse.ts";
import { serverSideApply } from "../../operator/kube/apply.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import type { KubeClient } from "../../operator/kube/transport.ts";
import { resolveAliases } from "../../operator/plan/aliases.ts";
import { planRollout } from "../../operator/plan/plan-rollout.ts";
import { withDesiredDigest } from "../../operator/reconcile/difference.ts";
import { gather } from "../../operator/reconcile/gather.ts";
import { typeOf } from "../../operator/reconcile/resource-types.ts";
import { desiredObjects } from "../../operator/resources/desired-objects.ts";
import { inParallel } from "./in-parallel.ts";

const SETTINGS = { runtimeImage: "runtime", routerImage: "router", scaleDownDelayMs: 30_000 };
/** Objects at once, as many as the operator's workers. */
const PARALLEL = 8;

/**
 * Seconds that the cluster takes for the same objects and children when nobody watches, plans or reports: what an operator
 * that writes them in this order cannot be faster than.
 */
export async function writeBare(
  client: KubeClient,
  names: readonly string[],
  createObject: (name: string) => Promise<KubeObject>,
): Promise<number> {
  const began = performance.now();
  const children: KubeObject[][] = [];
  await inParallel(names, PARALLEL, async (name) => {
    const [first, ...rest] = childrenOf(await createObject(name));
    if (first !== undefined) await write(client, first);
    children.push(rest);
  });
  await inParallel(children, PARALLEL, async (rest) => {
    await Promise.all(rest.map((child) => write(client, child)));
  });
  return (performance.now() - began) / 1000;
}

function childrenOf(object: KubeObject): KubeObject[] {
  const parsed = parseModelDeployment(object);
  if (!parsed.ok) throw new Error(`the benchmark's own object is not valid: ${JSON.stringify(parsed.problems)}`);
  const seen = gather({ object, children: [], pods: [] }, [], new Map(), new Map());
  const plan = planRollout(
    parsed.value,
    { ...seen, ...resolveAliases(parsed.value, new Map(), undefined, () => ({})) },
    0,
    SETTINGS,
  );
  return desiredObjects(parsed.value, plan).map((child) =>
    withDesiredDigest(JSON.parse(JSON.stringify(child)) as KubeObject),
  );
}

async function write(client: KubeClient, child: KubeObject): Promise<void> {
  await serverSideApply(client, typeOf(child), child, { fieldManager: "bench", force: false });
}
