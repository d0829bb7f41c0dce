/** JavaScript for a pod's Node: what a client inside of the cluster does. */

/** Asks for a prediction as one user, and resolves with the variant that answered. */
const ask = (host: string): string => `
  const ask = async (user) => {
    const response = await fetch("http://${host}/predict", {
      method: "POST",
      headers: { "content-type": "application/json", "x-user-id": user },
      body: JSON.stringify({ age: 37, income: 54321.37, credit_score: 661 }),
    });
    if (!response.ok) throw new Error(user + ": " + response.status + " " + (await response.text()));
    return (await response.json()).model_variant;
  };`;

/** Prints what each address of a headless Service answers. */
export function readAll(host: string, port: number, path: string): string {
  return `
    const { resolve4 } = await import("node:dns/promises");
    const addresses = await resolve4("${host}.cluster.local");
    const read = async (address) => (await fetch("http://" + address + ":${port}${path}")).text();
    console.log(JSON.stringify(await Promise.all(addresses.map(read))));`;
}

/** Prints which variant each user met, the first and the second time. */
export function askTwice(host: string, users: number): string {
  return `${ask(host)}
    const answers = [];
    for (let user = 0; user < ${users}; user++) answers.push([await ask("user-" + user), await ask("user-" + user)]);
    console.log(JSON.stringify(answers));`;
}

/** Asks ten times a second until there is a file /tmp/enough, then prints what came of it. */
export function askUntilTold(host: string): string {
  return `${ask(host)}
    console.log("asking");
    const report = { answered: 0, failed: [] };
    for (let user = 0; !fs.existsSync("/tmp/enough"); user++) {
      await ask("user-" + user).then(() => report.answered++, (error) => report.failed.push(String(error.cause ?? error)));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    console.log(JSON.stringify(report));`;
}
