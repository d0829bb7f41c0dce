/** `low` is for what can wait without anyone noticing: objects that just came into being, a resync. */
export type Priority = "normal" | "low";

/** So that a stream of changes cannot hold up the rest for ever. */
const NORMALS_IN_A_ROW = 32;

/** Keys that wait, each once, and since when: first come, first served in each of two lanes, of which one goes first. */
export class PriorityLanes {
  readonly #lanes: Readonly<Record<Priority, Map<string, number>>> = { normal: new Map(), low: new Map() };
  #normalsInARow = 0;

  get size(): number {
    return this.#lanes.normal.size + this.#lanes.low.size;
  }

  /** Whether the key is new here. One that waits keeps its time, and comes to the end of the lane that goes first when it is to. */
  add(key: string, priority: Priority, now: number): boolean {
    const { normal, low } = this.#lanes;
    if (normal.has(key)) return false;
    const waitsSince = low.get(key);
    if (waitsSince === undefined) {
      this.#lanes[priority].set(key, now);
      return true;
    }
    if (priority === "normal") {
      low.delete(key);
      normal.set(key, waitsSince);
    }
    return false;
  }

  take(): { readonly key: string; readonly since: number } | undefined {
    const { normal, low } = this.#lanes;
    const isLowsTurn = normal.size === 0 || (low.size > 0 && this.#normalsInARow >= NORMALS_IN_A_ROW);
    this.#normalsInARow = isLowsTurn ? 0 : this.#normalsInARow + 1;
    const lane = isLowsTurn ? low : normal;
    for (const [key, since] of lane) {
      lane.delete(key);
      return { key, since };
    }
    return undefined;
  }
}

/** Of two wishes for the same key. */
export function higher(a: Priority | undefined, b: Priority): Priority {
  return a === "normal" ? a : b;
}
