/** A page whose part between `<!-- NAME -->` and `<!-- /NAME -->` is this table. */
export function withTable(
  page: string,
  name: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the page needs ${begin} and ${end}`);
  const lines = [line(header), `|${header.map(() => "---|").join("")}`, ...rows.map(line)];
  return `${before}${begin}\n${lines.join("\n")}\n${end}${after}`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
