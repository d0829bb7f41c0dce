import { parseModelDeployment } from "../../operator/api/parse.ts";
import { serverSideApply } from "../../operator/kube/apply.ts";
import type { KubeObject } from "../../operator/kube/objects.ts";
import type { KubeClient } from "../../operator/kube/transport.ts";
import { resolveAliases } from "../../operator/plan/aliases.ts";
import { planRollout } from "../../operator/plan/plan-rollout.ts";
import { dueOfNew } from "../../operator/reconcile/creation-order.ts";
import { withDesiredDigest } from "../../operator/reconcile/difference.ts";
import { gather } from "../../operator/reconcile/gather.ts";
import { typeOf } from "../../operator/reconcile/resource-types.ts";
import { desiredObjects } from "../../operator/resources/desired-objects.ts";
import { inParallel } from "./in-parallel.ts";

const SETTINGS = { runtimeImage: "runtime", routerImage: "router", scaleDownDelayMs: 30_000 };
/** Objects at once, as many as the operator's workers. */
const PARALLEL = 64;

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
  const families: { readonly desired: readonly KubeObject[]; readonly written: KubeObject[] }[] = [];
  await inParallel(names, PARALLEL, async (name) => {
    families.push({ desired: childrenOf(await createObject(name)), written: [] });
  });
  while (families.some(({ desired, written }) => written.length < desired.length))
    await inParallel(families, PARALLEL, async ({ desired, written }) => {
      const due = dueOfNew(desired, written).filter((child) => !written.includes(child));
      await Promise.all(due.map((child) => write(client, child)));
      written.push(...due);
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
